"""Runs a search: proposes, hands out and keeps trials until the study holds enough of them."""

import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass

from twotower.common.errors import SearchError
from twotower.config import Config
from twotower.config.load import hyperparameters
from twotower.search.execute import TrialTask, given_up
from twotower.search.propose import Known, Proposal, propose
from twotower.search.pruners import pruning_of
from twotower.search.study import LiveStudy
from twotower.search.trial import Params, TrialRecord
from twotower.search.workers.base import WorkerDiedError, Workers

OnTrial = Callable[[TrialRecord], None]

WAKE = 1.0
"""Seconds after which idle workers are looked for even if no trial has finished: some join late."""


@dataclass(frozen=True)
class SearchResult:
    """A study as far as it was asked for.

    Attributes:
        records: trials 0..n-1, by number.
        complete: whether all trials that were asked for are there.
    """

    records: list[TrialRecord]
    complete: bool


class Search:
    """Fills a study up to `hpo.n_trials` trials.

    Trial n is handed out when trials 0..n - lookahead are finished. Which trials run at the same
    time, and in which order they finish, therefore changes no proposal.
    """

    def __init__(
        self,
        config: Config,
        study: LiveStudy,
        workers: Workers,
        provenance: str,
        on_trial: OnTrial,
        *,
        warm_start: Sequence[Params] = (),
    ) -> None:
        """Prepare a search.

        Args:
            config: sections `hpo`, `model`, `train` and the seed.
            study: finished trials; grows.
            workers: run the trials.
            provenance: digest that new trials carry.
            on_trial: told of each new trial once it is on disk.
            warm_start: what is tried first, after the defaults.
        """
        self._warm_start = warm_start
        self._config = config
        self._hpo = config.hpo
        self._study = study
        self._workers = workers
        self._provenance = provenance
        self._on_trial = on_trial
        self._running: dict[Future[TrialRecord], TrialTask] = {}
        self._waiting: list[TrialTask] = []  # whose worker died
        self._deaths: Counter[int] = Counter()
        self._deadline: float = time.monotonic() + (config.hpo.timeout or math.inf)

    def run(self) -> SearchResult:
        """Run trials until there are enough, or the time budget is spent.

        Raises:
            SearchError: if no trial completed.
        """
        self._fill()
        while self._running:
            patience = self._patience()
            done = wait(self._running, min(patience, WAKE), FIRST_COMPLETED).done
            if not done and patience == 0:
                break  # the grace time is over: what still runs is lost
            for future in sorted(done, key=lambda future: self._running[future].number):
                self._collect(self._running.pop(future), future)
            self._fill()
        return self._result()

    def _fill(self) -> None:
        """Hand out trials while a worker is idle, a trial may be proposed and time is left."""
        while len(self._running) < self._workers.count and self._has_time():
            task = self._waiting.pop(0) if self._waiting else self._next()
            if task is None:
                return
            self._running[self._workers.submit(task)] = task

    def _has_time(self) -> bool:
        """However small the budget is, one trial is better than an error."""
        begun = bool(self._study.records or self._running)
        return not begun or time.monotonic() < self._deadline

    def _next(self) -> TrialTask | None:
        """The lowest trial that is neither finished nor handed out, if it may be proposed yet."""
        handed_out = {task.number: task for task in (*self._running.values(), *self._waiting)}
        for number in range(self._hpo.n_trials):
            if number in self._study.records or number in handed_out:
                continue
            if not all(n in self._study.records for n in range(number - self._hpo.lookahead + 1)):
                return None
            known: dict[int, Known] = {
                n: Proposal(task.params, task.system_attrs) for n, task in handed_out.items()
            }
            defaults = hyperparameters(self._config.model, self._config.train)
            proposal = propose(
                number,
                known | self._study.records,
                self._hpo,
                self._config.seed,
                defaults,
                warm_start=self._warm_start,
            )
            return TrialTask(
                number,
                proposal.params,
                proposal.system_attrs,
                self._hpo.objective,
                self._provenance,
                pruning_of(number, self._study.records, self._hpo, defaults),
            )
        return None

    def _collect(self, task: TrialTask, future: "Future[TrialRecord]") -> None:
        """Keep a finished trial; ask again for one whose worker died, unless it always does."""
        try:
            record = future.result()
        except WorkerDiedError as error:
            self._deaths[task.number] += 1
            if self._deaths[task.number] < self._hpo.tries:
                self._waiting.append(task)
                return
            record = given_up(task, f"{error} in each of {self._hpo.tries} tries")
        self._study.add(record)
        self._on_trial(record)

    def _patience(self) -> float:
        """Seconds that running trials have left."""
        if self._hpo.timeout_grace is None or not self._study.records:
            return math.inf
        left = self._deadline + self._hpo.timeout_grace - time.monotonic()
        return max(0.0, left)

    def _result(self) -> SearchResult:
        records: list[TrialRecord] = []
        while len(records) < self._hpo.n_trials and len(records) in self._study.records:
            records.append(self._study.records[len(records)])
        if not any(record.state == "COMPLETE" for record in records):
            reason = records[0].failure if records else "the time budget left none"
            msg = f"none of {len(records)} trials completed; trial 0: {reason}"
            raise SearchError(msg)
        return SearchResult(records, complete=len(records) == self._hpo.n_trials)
