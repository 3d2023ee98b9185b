"""Which hyperparameters trial n tries: a function of its number and of earlier trials alone."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial

from twotower.common.files import canonical, round_float
from twotower.common.seeds import derive_seed
from twotower.config.hpo import HpoConfig
from twotower.config.search_space import SearchSpace
from twotower.search.proposals.repeats import Repeats
from twotower.search.proposals.samplers import make_sampler, same_arithmetic, suggest
from twotower.search.trial import Distributions, Params, Trial, distributions

MAX_ATTEMPTS = 10
"""Proposals of the sampler, each with another seed, of which one must be no repetition."""


def propose(
    number: int,
    trials: Mapping[int, Trial],
    space: SearchSpace,
    config: HpoConfig,
    seed: int,
    *,
    warm_start: Sequence[Params] = (),
    repeats: Repeats | None = None,
) -> Trial | None:
    """Trial `number`, RUNNING; None if every combination of the space has been tried.

    A fresh study sees trials 0..number - lookahead as finished and the later ones as running, and
    a fresh sampler is seeded by (seed, number). Neither the order in which trials finish nor an
    interruption can change what is proposed. A proposal that would repeat an earlier trial,
    finished or not, gives way to one of another seed, and in the end to one at random.

    Args:
        number: of the trial, from 0.
        trials: 0..number - 1; those up to number - lookahead must have finished.
        space: what is searched, and the defaults.
        config: sampler, lookahead, and whether trial 0 is the defaults.
        seed: the seed of params.yaml.
        warm_start: parameters of the trials that come first, after the defaults.
        repeats: compares trials; None: as on data on which everything has an effect.

    Raises:
        ValueError: if a trial up to number - lookahead is still running.
    """
    queued = number - int(config.include_defaults)
    if 0 <= queued < len(warm_start):
        return Trial(number, "RUNNING", dict(sorted(warm_start[queued].items())))
    if number == 0 and config.include_defaults:
        return Trial(number, "RUNNING", canonical(space.default_params))
    repeats = repeats or Repeats(space)
    tried = {repeats.key(trials[earlier].params) for earlier in range(number)}
    shadow = list(_shadow(number, trials, config.lookahead, distributions(space.searched)))
    for attempt in range(MAX_ATTEMPTS):
        purpose = ("sampler", number, attempt) if attempt else ("sampler", number)
        trial = _ask(number, shadow, space, config, derive_seed(seed, *purpose))
        if repeats.key(trial.params) not in tried:
            return trial
    params = repeats.untried(tried, derive_seed(seed, "untried", number))
    return None if params is None else Trial(number, "RUNNING", params)


def _ask(
    number: int, shadow: list[FrozenTrial], space: SearchSpace, config: HpoConfig, seed: int
) -> Trial:
    """What a fresh sampler proposes to a fresh study of these trials."""
    searched = distributions(space.searched)
    sampler = make_sampler(config.sampler, seed, space, searched)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.add_trials(shadow)
    with same_arithmetic(config.sampler):
        params = _choose(study.ask(), space, searched)
    [*_, frozen] = study.get_trials(deepcopy=False)
    return Trial(number, "RUNNING", params, system_attrs=canonical(frozen.system_attrs))


def _choose(trial: optuna.Trial, space: SearchSpace, searched: Distributions) -> Params:
    """Let the sampler choose every parameter whose condition holds, parents first."""
    chosen: Params = {}
    for name in space.searched:
        if space.is_set(name, chosen):
            chosen[name] = _canonical(suggest(trial, name, searched[name]), searched[name])
    return dict(sorted(chosen.items()))


def _shadow(
    number: int, trials: Mapping[int, Trial], lookahead: int, space: Distributions
) -> Iterator[FrozenTrial]:
    """Trials 0..number - 1 as the proposal of `number` may see them."""
    for earlier in range(number):
        trial = trials[earlier]
        if earlier > number - lookahead:
            trial = trial.as_proposed()
        elif trial.state == "RUNNING":
            msg = f"trial {number} cannot be proposed before trial {earlier} has finished"
            raise ValueError(msg)
        shadow = trial.without_times().to_optuna(space)
        shadow.user_attrs = {}  # no sampler reads them, and Optuna copies every one
        yield shadow


def _canonical(value: Any, distribution: BaseDistribution) -> Any:
    """The value as every tracked file shows it: what is reported is what was tried."""
    if not isinstance(distribution, optuna.distributions.FloatDistribution):
        return value
    return min(max(round_float(value), distribution.low), distribution.high)
