"""Trials one after another in this process."""

from concurrent.futures import Future

from twotower.search.execute import Evaluate, execute
from twotower.search.proposals.pruners import Pruning
from twotower.search.trial import Trial
from twotower.search.workers.workers import WorkerDiedError


class SerialWorkers:
    """Runs a trial when it is submitted."""

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
