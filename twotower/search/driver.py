"""Fills a study: proposes trials, has them run, and keeps them until there are enough."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from twotower.common.errors import SearchError
from twotower.config import Config
from twotower.config.effects import ANY_DATA, DataFacts
from twotower.search.confirmation_result import Confirmed
from twotower.search.dispatcher import Dispatcher, Job
from twotower.search.front import Goals
from twotower.search.proposals.propose import Proposer
from twotower.search.proposals.pruners import pruning_of
from twotower.search.store.live_study import LiveStudy
from twotower.search.trial import Params, Trial, complete_by_value


@dataclass(frozen=True)
class Rung:
    """The trials that have come to a share of the users; see `twotower.search.rungs`.

    Attributes:
        share: of the users.
        runs: of the trials, the best of the rung before first.
    """

    share: float
    runs: Sequence[Trial]


@dataclass(frozen=True)
class SearchResult:
    """The trials of a search.

    Attributes:
        trials: 0..n-1, by number.
        complete: whether there are as many as the configuration requests, or as the space has.
        goals: decide which trial is the winner.
        exhausted: whether every combination of the space has been tried.
        rungs: those of `hpo.sample` that have finished, the first one, `trials`, not among them.
        confirmed: the best few on fresh seeds, if `hpo.confirm` requests it and it was done.
    """

    trials: list[Trial]
    complete: bool
    goals: Goals
    exhausted: bool = False
    rungs: Sequence[Rung] = ()
    confirmed: Confirmed | None = None

    @property
    def last_rung(self) -> Rung | None:
        """The largest share of the users on which a trial completed; None: that of the search."""
        return next((rung for rung in reversed(self.rungs) if complete_by_value(rung.runs)), None)

    @property
    def finalists(self) -> list[Trial]:
        """The trials that got to the last rung, with their results there."""
        return list(self.last_rung.runs) if self.last_rung else self.trials

    @property
    def compared(self) -> list[Trial]:
        """What the winner is chosen from: the finalists, or their means over fresh seeds.

        If each of them failed with a fresh seed, the finalists stand.
        """
        return (self.confirmed and self.confirmed.means) or self.finalists

    @property
    def winner(self) -> Trial | None:
        """The trial that fresh seeds choose, or else the best of the finalists.

        Raises:
            LimitsError: if none is within the limits of `hpo.choose`.
        """
        if self.confirmed:
            return self.confirmed.chosen
        return self.goals.chosen(self.finalists)


class SearchDriver:
    """Fills a study up to `hpo.n_trials` trials.

    Trial n is handed out when trials 0..n - lookahead are finished. Which trials run at the same
    time, and in which order they finish, therefore changes no proposal.
    """

    def __init__(
        self,
        config: Config,
        study: LiveStudy,
        dispatcher: Dispatcher,
        provenance: str,
        on_trial: Callable[[Trial], None],
        *,
        warm_start: Sequence[Params] = (),
        data: DataFacts = ANY_DATA,
    ) -> None:
        """Prepare a search.

        Args:
            config: sections `hpo`, `model`, `train` and the seed.
            study: finished trials; grows.
            dispatcher: runs the trials.
            provenance: digest that new trials carry.
            on_trial: called with each new trial once it is on disk.
            warm_start: parameters that are tried first, after the defaults.
            data: decides which trials are the same.
        """
        self._proposer = Proposer(
            config.search_space, config.hpo, config.seed, warm_start=warm_start, data=data
        )
        self._end = config.hpo.n_trials  # less, once every combination has been tried
        self._config = config
        self._hpo = config.hpo
        self._study = study
        self._dispatcher = dispatcher
        self._provenance = provenance
        self._on_trial = on_trial

    def run(self) -> SearchResult:
        """Run trials until there are enough, or the time budget is spent.

        Raises:
            SearchError: if no trial completed.
        """
        self._dispatcher.run(self._next, self._keep, lambda: 0 in self._study.trials)
        return self._result()

    def _next(self) -> Job | None:
        """The lowest trial that is neither finished nor handed out, if it may be proposed yet."""
        finished = self._study.trials
        running = {trial.number: trial for trial in self._dispatcher.handed_out}
        number = next((n for n in range(self._end) if n not in finished and n not in running), None)
        if number is None or not all(
            n in finished for n in range(number - self._hpo.lookahead + 1)
        ):
            return None
        trial = self._proposer.propose(number, running | finished)
        if trial is None:
            self._end = number
            return None
        pruning = pruning_of(number, finished, self._hpo, self._config.search_space)
        return replace(trial, provenance=self._provenance), pruning

    def _keep(self, trial: Trial) -> None:
        self._study.add(trial)
        self._on_trial(trial)

    def _result(self) -> SearchResult:
        trials: list[Trial] = []
        while len(trials) < self._end and len(trials) in self._study.trials:
            trials.append(self._study.trials[len(trials)])
        if not any(trial.state == "COMPLETE" for trial in trials):
            reason = trials[0].failure if trials else "the time budget left none"
            msg = f"none of {len(trials)} trials completed; trial 0: {reason}"
            raise SearchError(msg)
        complete = len(trials) == self._end
        exhausted = complete and self._end < self._hpo.n_trials
        return SearchResult(trials, complete, Goals.of(self._hpo), exhausted=exhausted)
