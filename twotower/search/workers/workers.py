"""What the driver asks of workers."""

from concurrent.futures import Future
from typing import Protocol

from twotower.search.execute import TrialTask
from twotower.search.trial import Trial


class WorkerDiedError(Exception):
    """A worker ended, or ran out of memory, before its trial did; says nothing about the trial."""


class Workers(Protocol):
    """Runs trials, each in at most one place at a time."""

    @property
    def count(self) -> int:
        """Trials that can run at the same time."""
        ...

    def submit(self, task: TrialTask) -> "Future[Trial]":
        """Begin a trial; the future raises WorkerDiedError if its worker dies."""
        ...

    def stop(self) -> None:
        """End all workers at once; trials that run are lost, and may be asked for again."""
        ...
