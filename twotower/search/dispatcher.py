"""Keeps workers busy within a time budget, and runs trials again whose worker died."""

import math
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, wait

from twotower.config.hpo import HpoConfig
from twotower.search.proposals.pruners import Pruning
from twotower.search.run_trial import given_up
from twotower.search.trial import Key, Trial
from twotower.search.workers.workers import WorkerDiedError, Workers

WAKE = 1.0
"""Seconds after which idle workers are looked for even if no trial has finished: some join late."""

Job = tuple[Trial, Pruning | None]
"""A running trial, and what decides whether it is pruned."""


class Dispatcher:
    """Hands out trials until there are none, or the time budget is spent.

    The budget starts when the dispatcher is made; the search and its confirmation share it.
    """

    def __init__(
        self,
        config: HpoConfig,
        workers: Workers,
        watch: Callable[[list[Trial]], None] = lambda _: None,
    ) -> None:
        """Start the time budget.

        Args:
            config: `timeout`, `timeout_grace` and `tries` count.
            workers: run the trials.
            watch: told of the trials that run, whenever one begins or has ended.
        """
        self._watch = watch
        self._config = config
        self._workers = workers
        self._running: dict[Future[Trial], Job] = {}
        self._waiting: list[Job] = []  # whose worker died
        self._deaths: Counter[Key] = Counter()
        self._deadline: float = time.monotonic() + (config.timeout or math.inf)

    @property
    def handed_out(self) -> list[Trial]:
        """Trials that have not finished yet."""
        return [trial for trial, _ in (*self._running.values(), *self._waiting)]

    def run(
        self,
        next_job: Callable[[], Job | None],
        keep: Callable[[Trial], None],
        may_end: Callable[[], bool] = lambda: True,
    ) -> None:
        """Run trials until none can be handed out, or the time is up.

        Args:
            next_job: the next one; None while there is none, which a finished trial may change.
            keep: called with each finished trial.
            may_end: until it is true, the time budget is ignored.
        """
        self._fill(next_job, may_end)
        while self._running:
            patience = self._patience(may_end)
            done = wait(self._running, min(patience, WAKE), FIRST_COMPLETED).done
            if not done and patience == 0:
                break  # the grace time is over: trials that still run are lost
            for future in sorted(done, key=lambda future: self._running[future][0].number):
                job = self._running.pop(future)
                self._watch([trial for trial, _ in self._running.values()])
                self._collect(job, future, keep)
            self._fill(next_job, may_end)

    def _fill(self, next_job: Callable[[], Job | None], may_end: Callable[[], bool]) -> None:
        """Hand out trials while a worker is idle, there is a trial and time is left."""
        while len(self._running) < self._workers.count and self._has_time(may_end):
            job = self._waiting.pop(0) if self._waiting else next_job()
            if job is None:
                return
            self._watch([*(trial for trial, _ in self._running.values()), job[0]])
            self._running[self._workers.submit(*job)] = job

    def _has_time(self, may_end: Callable[[], bool]) -> bool:
        return not (self._running or may_end()) or time.monotonic() < self._deadline

    def _patience(self, may_end: Callable[[], bool]) -> float:
        """Seconds that running trials have left."""
        if self._config.timeout_grace is None or not may_end():
            return math.inf
        return max(0.0, self._deadline + self._config.timeout_grace - time.monotonic())

    def _collect(self, job: Job, future: "Future[Trial]", keep: Callable[[Trial], None]) -> None:
        """Pass a finished trial on; retry one whose worker died, up to `hpo.tries` times."""
        trial, _ = job
        try:
            finished = future.result()
        except WorkerDiedError as error:
            self._deaths[trial.key] += 1
            if self._deaths[trial.key] < self._config.tries:
                self._waiting.append(job)
                return
            finished = given_up(trial, f"{error} in each of {self._config.tries} tries")
        keep(finished)
