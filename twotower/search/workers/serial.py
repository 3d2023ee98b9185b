"""Trials one after another in this process."""

from concurrent.futures import Future

from twotower.search.execute import Evaluate, TrialTask, execute
from twotower.search.trial import Trial
from twotower.search.workers.workers import WorkerDiedError


class SerialWorkers:
    """Runs a trial when it is submitted."""

    count = 1

    def __init__(self, objective: Evaluate) -> None:
        self._objective = objective

    def submit(self, task: TrialTask) -> "Future[Trial]":
        """Run the trial to its end."""
        future: Future[Trial] = Future()
        try:
            future.set_result(execute(task, self._objective))
        except MemoryError:
            future.set_exception(WorkerDiedError("its worker ran out of memory"))
        return future

    def stop(self) -> None:
        """Nothing runs between two trials."""
