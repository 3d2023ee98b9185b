"""Keeps workers busy within a time budget, whatever becomes of them."""

import math
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait

from twotower.config.hpo import HpoConfig
from twotower.search.execute import TrialTask, given_up
from twotower.search.trial import Trial
from twotower.search.workers.workers import WorkerDiedError, Workers

WAKE = 1.0
"""Seconds after which idle workers are looked for even if no trial has finished: some join late."""

NextTask = Callable[[], TrialTask | None]
Keep = Callable[[TrialTask, Trial], None]


class Dispatcher:
    """Hands out tasks until there are none, or the time budget is spent.

    The budget begins when the dispatcher is made, and is shared by all that it runs.
    """

    def __init__(self, config: HpoConfig, workers: Workers) -> None:
        """Begin the time budget.

        Args:
            config: `timeout`, `timeout_grace` and `tries` count.
            workers: run the tasks.
        """
        self._config = config
        self._workers = workers
        self._running: dict[Future[Trial], TrialTask] = {}
        self._waiting: list[TrialTask] = []  # whose worker died
        self._deaths: Counter[tuple[int, int | None]] = Counter()
        self._deadline: float = time.monotonic() + (config.timeout or math.inf)

    @property
    def handed_out(self) -> list[TrialTask]:
        """Tasks that have no result yet."""
        return [*self._running.values(), *self._waiting]

    def run(
        self,
        next_task: NextTask,
        keep: Keep,
        begun: Callable[[], bool] = lambda: True,
    ) -> None:
        """Run tasks until there is none that could be handed out, or no time.

        Args:
            next_task: the next one; None while there is none, which a result may change.
            keep: told of each result.
            begun: whether what cannot be done without is there; until then no budget ends.
        """
        self._fill(next_task, begun)
        while self._running:
            patience = self._patience(begun)
            done = wait(self._running, min(patience, WAKE), FIRST_COMPLETED).done
            if not done and patience == 0:
                break  # the grace time is over: what still runs is lost
            for future in sorted(done, key=lambda future: self._running[future].number):
                self._collect(self._running.pop(future), future, keep)
            self._fill(next_task, begun)

    def _fill(self, next_task: NextTask, begun: Callable[[], bool]) -> None:
        """Hand out tasks while a worker is idle, there is a task and time is left."""
        while len(self._running) < self._workers.count and self._has_time(begun):
            task = self._waiting.pop(0) if self._waiting else next_task()
            if task is None:
                return
            self._running[self._workers.submit(task)] = task

    def _has_time(self, begun: Callable[[], bool]) -> bool:
        return not (self._running or begun()) or time.monotonic() < self._deadline

    def _patience(self, begun: Callable[[], bool]) -> float:
        """Seconds that running tasks have left."""
        if self._config.timeout_grace is None or not begun():
            return math.inf
        return max(0.0, self._deadline + self._config.timeout_grace - time.monotonic())

    def _collect(
        self,
        task: TrialTask,
        future: "Future[Trial]",
        keep: Keep,
    ) -> None:
        """Pass a result on; ask again for one whose worker died, unless it always does."""
        try:
            record = future.result()
        except WorkerDiedError as error:
            self._deaths[task.key] += 1
            if self._deaths[task.key] < self._config.tries:
                self._waiting.append(task)
                return
            record = given_up(task, f"{error} in each of {self._config.tries} tries")
        keep(task, record)
