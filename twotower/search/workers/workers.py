"""The interface of workers, and the simplest ones: this process."""

from concurrent.futures import Future
from typing import Protocol

from twotower.search.proposals.pruners import Pruning
from twotower.search.run_trial import Evaluate, execute
from twotower.search.trial import Trial


class WorkerDiedError(Exception):
    """A worker ended, or ran out of memory, before its trial did; says nothing about the trial."""


class Workers(Protocol):
    """Runs trials, each in at most one place at a time."""

    @property
    def count(self) -> int:
        """Trials that can run at the same time."""
        ...

    def submit(self, trial: Trial, pruning: Pruning | None = None) -> "Future[Trial]":
        """Start a running trial; the future gives the finished one, or raises WorkerDiedError."""
        ...

    def stop(self) -> None:
        """End all workers at once; the trials they run are lost, and may be submitted again."""
        ...


class SerialWorkers:
    """Runs each trial in this process when it is submitted."""

    count = 1

    def __init__(self, objective: Evaluate) -> None:
        self._objective = objective

    def submit(self, trial: Trial, pruning: Pruning | None = None) -> "Future[Trial]":
        """Run the trial to its end."""
        future: Future[Trial] = Future()
        try:
            future.set_result(execute(trial, self._objective, pruning))
        except MemoryError:
            future.set_exception(WorkerDiedError("its worker ran out of memory"))
        return future

    def stop(self) -> None:
        """Nothing runs between two trials."""
