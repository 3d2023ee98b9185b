"""The interface of workers."""

from concurrent.futures import Future
from typing import Protocol

from twotower.search.proposals.pruners import Pruning
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
