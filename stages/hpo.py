"""Stage hpo: search the hyperparameters that rank the validation split best.

`dvc repro` runs it with params.yaml alone. By hand, flags override params.yaml for one run.
"""

import argparse
from pathlib import Path
from typing import Any

from twotower.common.display import shown
from twotower.common.errors import one_line_errors
from twotower.common.paths import repository_root
from twotower.common.progress import say, step
from twotower.config import Config, load_config
from twotower.data.prepared import PREPARED
from twotower.search.console import SearchConsole
from twotower.search.outputs import SearchOutputs
from twotower.search.run_search import run_search
from twotower.search.store.location import StudyLocation
from twotower.search.trial import Trial
from twotower.tracking.background import BackgroundPublisher, publish_in_background
from twotower.tracking.ending import Ending

SNAPSHOT_URL = "sqlite:///hpo_study.db"


def parse_arguments() -> argparse.Namespace:
    """Flags; each one that is given overrides a key of params.yaml."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    number = parser.add_mutually_exclusive_group()
    number.add_argument("--n-trials", type=int, help="total number of trials")
    number.add_argument("--add-trials", type=int, metavar="N", help="run N more trials")
    parser.add_argument("--timeout", type=float, help="seconds after which no new trial starts")
    parser.add_argument("--data-root", help="folder of the raw data; runs the prepare stage first")
    parser.add_argument(
        "--storage",
        help=f"database URL of the live study; {SNAPSHOT_URL}, the declared snapshot, stands for "
        "the default in .hpo/",
    )
    parser.add_argument("--study-name", help="name of the study in the database")
    parser.add_argument("--mlflow-tracking", action="store_true", help="log the search to MLflow")
    parser.add_argument("--experiment-name", help="MLflow experiment")
    arguments = parser.parse_args()
    if arguments.add_trials is not None and arguments.add_trials < 1:
        parser.error("--add-trials: must be at least 1")
    return arguments


def overrides(arguments: argparse.Namespace) -> dict[str, Any]:
    """The keys of params.yaml that flags override."""
    given = {
        "data.root": arguments.data_root,
        "hpo.n_trials": arguments.n_trials,
        "hpo.storage": arguments.storage,
        "hpo.study_name": arguments.study_name,
        "hpo.timeout": arguments.timeout,
        "mlflow.enabled": arguments.mlflow_tracking or None,
        "mlflow.experiment": arguments.experiment_name,
    }
    return {key: value for key, value in given.items() if value is not None}


class Reporter(SearchConsole):
    """Shows the search in the terminal and in MLflow."""

    def __init__(self, config: Config, root: Path) -> None:
        super().__init__(config.hpo.objective, config.hpo.timeout)
        self.publisher: BackgroundPublisher | None = None
        self._config = config
        self._root = root

    def start(
        self, location: StudyLocation, counts: dict[str, int], finished: list[Trial], total: int
    ) -> None:
        """Open the run of the study, and log the trials of earlier runs."""
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


def main() -> None:
    """Run the stage in the current directory."""
    arguments = parse_arguments()
    config = load_config(overrides=overrides(arguments))
    if arguments.data_root is not None:
        from twotower.ingest import prepare
        from twotower.ingest.guard import LAST_RUN
        from twotower.ingest.summary import summary

        with step("prepare"):
            report = prepare(config, PREPARED, Path("metrics/data.json"), LAST_RUN)
        say(summary(report))
    root = repository_root()
    reporter, outputs = Reporter(config, root), SearchOutputs()
    try:
        results = run_search(
            config, root, reporter, outputs=outputs, add_trials=arguments.add_trials or 0
        )
    except BaseException as error:
        reporter.abort(error)
        raise
    reporter.finish(results, outputs)


if __name__ == "__main__":
    with one_line_errors(), shown():
        main()
