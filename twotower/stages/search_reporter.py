"""Shows a search wherever it is shown."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from twotower.common.progress import say
from twotower.config import Config
from twotower.search.console import SearchConsole
from twotower.search.front import Goals
from twotower.search.outputs import SearchOutputs
from twotower.search.store.location import StudyLocation
from twotower.search.trial import Trial
from twotower.tracking.ending import Ending

if TYPE_CHECKING:
    from twotower.tracking.background import BackgroundPublisher


class SearchReporter(SearchConsole):
    """Shows the search in the terminal and in MLflow."""

    def __init__(self, config: Config, root: Path) -> None:
        super().__init__(Goals.of(config.hpo), config.hpo.timeout)
        self.publisher: BackgroundPublisher | None = None
        self._config = config
        self._root = root

    def start(
        self, location: StudyLocation, counts: dict[str, int], finished: list[Trial], total: int
    ) -> None:
        """Open the run of the study, and log the trials of earlier runs."""
        if self._config.mlflow.enabled:
            from twotower.tracking.background import publish_in_background

            self.publisher = publish_in_background(self._config, self._root, location, counts)
        super().start(location, counts, finished, total)
        if self.publisher is not None:
            self.publisher.add(finished)

    def trial(self, trial: Trial) -> None:
        """Show a new trial in both places."""
        super().trial(trial)
        if self.publisher is not None:
            self.publisher.add([trial])

    def finish(self, results: dict[str, Any], outputs: SearchOutputs) -> None:
        """Show the summary in both places."""
        self.close()
        files = [outputs.results, outputs.trials, outputs.validation, outputs.snapshot]
        if self.publisher is not None:
            ending = Ending.with_results(results, [outputs.results, outputs.trials])
            self.publisher.end(ending)
        self.summary(results, [path.as_posix() for path in files])
        if self.publisher is not None and self.publisher.address is not None:
            say(f"MLflow: {self.publisher.address}")

    def abort(self, error: BaseException) -> None:
        """End the run in MLflow without results."""
        self.close()
        if self.publisher is not None:
            self.publisher.end(Ending.without_results(error))
