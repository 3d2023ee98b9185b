"""Which hyperparameters trial n tries: a function of its number and of earlier trials alone."""

import copy
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial

from twotower.common.files import canonical, round_float
from twotower.common.seeds import derive_seed
from twotower.config.effects import ANY_DATA, DataFacts
from twotower.config.hpo import HpoConfig
from twotower.config.search_space import SearchSpace
from twotower.search.proposals.repeats import Repeats
from twotower.search.proposals.samplers import make_sampler, same_arithmetic, suggest
from twotower.search.trial import Distributions, Params, Trial, distributions

STUDY = "proposals"
MAX_ATTEMPTS = 10
"""Proposals of the sampler, each with another seed, of which one must be no repetition."""


class Proposer:
    """Proposes the trials of one search, each a function of its number and of earlier trials.

    For each proposal a fresh study sees trials 0..number - lookahead as finished and the later ones
    as running, and a fresh sampler is seeded by (seed, number). Neither the order in which trials
    finish nor an interruption can change what is proposed. A proposal that would repeat an earlier
    trial, finished or not, gives way to one of another seed, and in the end to one at random.

    It remembers each trial in the form that Optuna wants, as converting all of them for each
    proposal takes longer than the sampler does.
    """

    def __init__(
        self,
        space: SearchSpace,
        config: HpoConfig,
        seed: int,
        *,
        warm_start: Sequence[Params] = (),
        data: DataFacts = ANY_DATA,
    ) -> None:
        """Prepare to propose.

        Args:
            space: what is searched, and the defaults.
            config: sampler, lookahead, and whether trial 0 is the defaults.
            seed: the seed of params.yaml.
            warm_start: parameters of the trials that come first, after the defaults.
            data: decides which trials are the same.
        """
        self._space = space
        self._distributions = distributions(space.searched)
        self._config = config
        self._seed = seed
        self._warm_start = warm_start
        self._repeats = Repeats(space, data)
        self._earlier: dict[int, _Earlier] = {}
        self._storage, self._stored = self._empty_study(), list[_Earlier]()

    def propose(self, number: int, trials: Mapping[int, Trial]) -> Trial | None:
        """Trial `number`, RUNNING; None if every combination of the space has been tried.

        Args:
            number: of the trial, from 0.
            trials: 0..number - 1; those up to number - lookahead must have finished.

        Raises:
            ValueError: if a trial up to number - lookahead is still running.
        """
        queued = number - int(self._config.include_defaults)
        if 0 <= queued < len(self._warm_start):
            return Trial(number, "RUNNING", dict(sorted(self._warm_start[queued].items())))
        if number == 0 and self._config.include_defaults:
            return Trial(number, "RUNNING", canonical(self._space.default_params))
        earlier = [self._seen(number, trials[n]) for n in range(number)]
        tried = {each.key for each in earlier}
        for attempt in range(MAX_ATTEMPTS):
            purpose = ("sampler", number, attempt) if attempt else ("sampler", number)
            trial = self._ask(number, earlier, derive_seed(self._seed, *purpose))
            if self._repeats.key(trial.params) not in tried:
                return trial
        params = self._repeats.untried(tried, derive_seed(self._seed, "untried", number))
        return None if params is None else Trial(number, "RUNNING", params)

    def _seen(self, number: int, trial: Trial) -> "_Earlier":
        """A trial as the proposal of `number` may see it."""
        if trial.number > number - self._config.lookahead:
            trial = trial.as_proposed()
        elif trial.state == "RUNNING":
            msg = f"trial {number} cannot be proposed before trial {trial.number} has finished"
            raise ValueError(msg)
        kept = self._earlier.get(trial.number)
        if kept is None or kept.trial is not trial:
            key = self._repeats.key(trial.params)
            kept = _Earlier(trial, key, _Shared.of(trial, self._distributions))
            self._earlier[trial.number] = kept
        return kept

    def _ask(self, number: int, earlier: "Sequence[_Earlier]", seed: int) -> Trial:
        """What a fresh sampler proposes to a fresh study of these trials."""
        sampler = make_sampler(self._config.sampler, seed, self._space, self._distributions)
        finished = max(0, number - self._config.lookahead + 1)
        storage = copy.deepcopy(self._study_of(earlier[:finished]))
        _fill(storage, earlier[finished:])
        study = optuna.load_study(study_name=STUDY, storage=storage, sampler=sampler)
        with same_arithmetic(self._config.sampler):
            params = _choose(study.ask(), self._space, self._distributions)
        [*_, frozen] = study.get_trials(deepcopy=False)
        return Trial(number, "RUNNING", params, system_attrs=canonical(frozen.system_attrs))

    def _study_of(self, finished: "Sequence[_Earlier]") -> InMemoryStorage:
        """A study of these trials; that of the proposal before, if it had the first of them."""
        common = finished[: len(self._stored)]
        if len(common) < len(self._stored) or any(map(operator.is_not, self._stored, common)):
            self._storage, self._stored = self._empty_study(), []
        _fill(self._storage, finished[len(self._stored) :])
        self._stored = list(finished)
        return self._storage

    def _empty_study(self) -> InMemoryStorage:
        storage, directions = InMemoryStorage(), [*self._config.directions.values()]
        optuna.create_study(study_name=STUDY, storage=storage, directions=directions)
        return storage


def _fill(storage: InMemoryStorage, trials: "Sequence[_Earlier]") -> None:
    study_id = storage.get_study_id_from_name(STUDY)
    for each in trials:  # study.add_trial would check again what this search has written
        storage.create_new_trial(study_id, each.shared)


class _Shared(FrozenTrial):
    """A trial that a study in memory takes as it is, where it would copy every value of another.

    Storages never change a trial's values in place: they replace them.
    """

    @classmethod
    def of(cls, trial: Trial, space: Distributions) -> "_Shared":
        frozen = trial.without_times().to_optuna(space)
        frozen.user_attrs = {}  # no sampler reads them
        shared = cls.__new__(cls)
        vars(shared).update(vars(frozen))
        return shared

    def __deepcopy__(self, memo: dict[int, Any]) -> "_Shared":
        other = type(self).__new__(type(self))
        vars(other).update(vars(self))
        return other


@dataclass(frozen=True)
class _Earlier:
    """What proposals need of an earlier trial.

    Attributes:
        trial: as they may see it.
        key: tells what it trains.
        shared: its form in a study.
    """

    trial: Trial
    key: str
    shared: _Shared


def _choose(trial: optuna.Trial, space: SearchSpace, searched: Distributions) -> Params:
    """Let the sampler choose every parameter whose condition holds, parents first."""
    chosen: Params = {}
    for name in space.searched:
        if space.is_set(name, chosen):
            chosen[name] = _canonical(suggest(trial, name, searched[name]), searched[name])
    return dict(sorted(chosen.items()))


def _canonical(value: Any, distribution: BaseDistribution) -> Any:
    """The value as every tracked file shows it: what is reported is what was tried."""
    if not isinstance(distribution, optuna.distributions.FloatDistribution):
        return value
    return min(max(round_float(value), distribution.low), distribution.high)
