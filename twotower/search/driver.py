"""Runs a search: proposes, hands out and keeps trials until the study holds enough of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from twotower.common.errors import SearchError
from twotower.config import Config
from twotower.search.confirmed import Confirmed
from twotower.search.dispatch import Dispatcher
from twotower.search.execute import TrialTask
from twotower.search.proposals.propose import Known, Proposal, propose
from twotower.search.proposals.pruners import pruning_of
from twotower.search.store.live_study import LiveStudy
from twotower.search.trial import Params, Trial, best
from twotower.search.workers.workers import Workers

OnTrial = Callable[[Trial], None]


@dataclass(frozen=True)
class SearchResult:
    """A study as far as it was asked for.

    Attributes:
        records: trials 0..n-1, by number.
        complete: whether all trials that were asked for are there.
        confirmed: what fresh seeds say of the best few, if that was asked for and done.
    """

    records: list[Trial]
    complete: bool
    confirmed: Confirmed | None = None

    @property
    def winner(self) -> Trial | None:
        """The trial that fresh seeds choose, or else the one of the highest value."""
        return self.confirmed.chosen.trial if self.confirmed else best(self.records)


class SearchDriver:
    """Fills a study up to `hpo.n_trials` trials.

    Trial n is handed out when trials 0..n - lookahead are finished. Which trials run at the same
    time, and in which order they finish, therefore changes no proposal.

    Attributes:
        dispatcher: holds the time budget.
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
        self._space = config.search_space()
        self._study = study
        self._provenance = provenance
        self._on_trial = on_trial
        self.dispatcher = Dispatcher(config.hpo, workers)

    def run(self) -> SearchResult:
        """Run trials until there are enough, or the time budget is spent.

        Raises:
            SearchError: if no trial completed.
        """
        self.dispatcher.run(self._next, self._keep, lambda: 0 in self._study.records)
        return self._result()

    def _next(self) -> TrialTask | None:
        """The lowest trial that is neither finished nor handed out, if it may be proposed yet."""
        handed_out = {task.number: task for task in self.dispatcher.handed_out}
        for number in range(self._hpo.n_trials):
            if number in self._study.records or number in handed_out:
                continue
            if not all(n in self._study.records for n in range(number - self._hpo.lookahead + 1)):
                return None
            known: dict[int, Known] = {
                n: Proposal(task.params, task.system_attrs) for n, task in handed_out.items()
            }
            proposal = propose(
                number,
                known | self._study.records,
                self._space,
                self._hpo,
                self._config.seed,
                warm_start=self._warm_start,
            )
            return TrialTask(
                number,
                proposal.params,
                proposal.system_attrs,
                self._hpo.objective,
                self._provenance,
                pruning_of(number, self._study.records, self._hpo, self._space),
            )
        return None

    def _keep(self, _task: TrialTask, record: Trial) -> None:
        self._study.add(record)
        self._on_trial(record)

    def _result(self) -> SearchResult:
        records: list[Trial] = []
        while len(records) < self._hpo.n_trials and len(records) in self._study.records:
            records.append(self._study.records[len(records)])
        if not any(record.state == "COMPLETE" for record in records):
            reason = records[0].failure if records else "the time budget left none"
            msg = f"none of {len(records)} trials completed; trial 0: {reason}"
            raise SearchError(msg)
        return SearchResult(records, complete=len(records) == self._hpo.n_trials)
