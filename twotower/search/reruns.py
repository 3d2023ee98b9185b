"""Runs of a search's trials again, each with another seed or on more rows.

They are stored as trials are, each in a file, complete or absent, in a folder for each change.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from twotower.search.dispatcher import Dispatcher, Job
from twotower.search.front import Goals
from twotower.search.store.locks import Say
from twotower.search.store.trial_files import TrialFiles
from twotower.search.trial import Key, Trial


class Change(NamedTuple):
    """What a run has other than its trial in the search.

    Attributes:
        seed: None: that of params.yaml.
        share: of the users; None: that of the search.
    """

    seed: int | None = None
    share: float | None = None


class Reruns:
    """The runs that have finished, and how the others are run."""

    def __init__(self, folders: Mapping[Change, Path], provenance: str, say: Say) -> None:
        """Read the runs that have finished.

        Args:
            folders: where the runs of each change are kept.
            provenance: digest that new runs carry.
            say: shows a line to the user, of a file that is damaged.

        Raises:
            SearchError: if a file cannot be read.
        """
        self._provenance = provenance
        self._files = {change: TrialFiles(folder) for change, folder in folders.items()}
        self._runs: dict[Key, Trial] = {
            (number, *change): run
            for change, files in self._files.items()
            for number, run in files.intact(say).items()
        }

    def of(self, trial: Trial, change: Change) -> Trial:
        """The finished run of a trial with this change."""
        return self._runs[trial.number, *change]

    def missing(self, trials: Sequence[Trial], changes: Sequence[Change]) -> list[Trial]:
        """Runs of these trials that have not finished, as they are handed out."""
        return [
            Trial(trial.number, "RUNNING", trial.params, self._provenance, **change._asdict())
            for change in changes
            for trial in trials
            if not self._has_run(trial, change)
        ]

    def run(
        self,
        missing: Callable[[], Sequence[Trial]],
        dispatcher: Dispatcher,
        on_run: Callable[[Trial], None],
    ) -> None:
        """Run what is missing until nothing is, or the time is up.

        Args:
            missing: asked again after each run, which may change it.
            dispatcher: runs them.
            on_run: called with each run once it is on disk.

        Raises:
            SearchError: if a run cannot be kept.
        """

        def next_job() -> Job | None:
            running = {trial.key for trial in dispatcher.handed_out}
            waiting = (trial for trial in missing() if trial.key not in running)
            return next(((trial, None) for trial in waiting), None)

        def keep(run: Trial) -> None:
            self._files[Change(run.seed, run.share)].write(run)
            self._runs[run.key] = run
            on_run(run)

        dispatcher.run(next_job, keep)

    def _has_run(self, trial: Trial, change: Change) -> bool:
        run = self._runs.get((trial.number, *change))
        return run is not None and run.params == trial.params


def outcome(name: str, run: Trial, goals: Goals) -> str:
    """One line of what came of a run."""
    if run.failure is not None:
        return f"{name} failed: {run.failure}"
    return f"{name}: {goals.text(run)}"
