"""Which hyperparameters trial n tries: a function of its number and of earlier trials alone."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from twotower.common.files import canonical, round_float
from twotower.common.seeds import derive_seed
from twotower.config.hpo import HpoConfig
from twotower.config.ranges import Spaces
from twotower.config.search_space import SearchSpace
from twotower.search.proposals.samplers import make_sampler, same_arithmetic, suggest
from twotower.search.trial import Distributions, Params, Trial

optuna.logging.set_verbosity(optuna.logging.ERROR)


def distributions(spaces: Spaces) -> dict[str, BaseDistribution]:
    """Optuna's form of a search space, in alphabetical order."""
    return {
        name: json_to_distribution(json.dumps(spaces[name].model_dump(mode="json")))
        for name in sorted(spaces)
    }


@dataclass(frozen=True)
class Proposal:
    """What a trial tries.

    Attributes:
        params: hyperparameters by name, without those whose condition does not hold.
        system_attrs: what the sampler has noted about the trial.
    """

    params: Params
    system_attrs: Mapping[str, Any] = field(default_factory=dict)


Known = Trial | Proposal


def propose(
    number: int,
    known: Mapping[int, Known],
    space: SearchSpace,
    config: HpoConfig,
    seed: int,
    *,
    warm_start: Sequence[Params] = (),
) -> Proposal:
    """Hyperparameters of trial `number`.

    A fresh study sees trials 0..number - lookahead as finished and the later ones as running, and
    a fresh sampler is seeded by (seed, number). Neither the order in which trials finish nor an
    interruption can change what is proposed.

    Args:
        number: of the trial, from 0.
        known: finished trials 0..number - lookahead; of the later ones, below `number`, the
            proposals are enough.
        space: what is searched, and the defaults.
        config: sampler, lookahead, and whether trial 0 is the defaults.
        seed: the seed of params.yaml.
        warm_start: searched hyperparameters of the trials that come first, after the defaults.
    """
    queued = number - int(config.include_defaults)
    if 0 <= queued < len(warm_start):
        return Proposal(dict(sorted(warm_start[queued].items())))
    searched = distributions(space.searched)
    sampler_seed = derive_seed(seed, "sampler", number)
    sampler = make_sampler(config.sampler, sampler_seed, space, searched)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.add_trials(_shadow(number, known, config.lookahead, searched))
    if number == 0 and config.include_defaults:
        study.enqueue_trial(space.default_params)
    with same_arithmetic():
        trial = study.ask()
        params = _choose(trial, space, searched)
    [*_, asked] = study.get_trials(deepcopy=False)
    return Proposal(params, canonical(asked.system_attrs))


def _choose(trial: optuna.Trial, space: SearchSpace, searched: Distributions) -> Params:
    """Let the sampler choose every parameter whose condition holds, parents first."""
    chosen: Params = {}
    for name in space.searched:
        if space.is_set(name, chosen):
            chosen[name] = _canonical(suggest(trial, name, searched[name]), searched[name])
    return dict(sorted(chosen.items()))


def _shadow(
    number: int, known: Mapping[int, Known], lookahead: int, space: Distributions
) -> Iterator[FrozenTrial]:
    """Trials 0..number - 1 as the proposal of `number` may see them."""
    for earlier in range(number):
        trial = known[earlier]
        if earlier <= number - lookahead:
            if not isinstance(trial, Trial):
                msg = f"trial {number} was asked for before trial {earlier} has finished"
                raise TypeError(msg)
            finished = trial.without_times().to_optuna(space)
            finished.user_attrs = {}  # no sampler reads them, and Optuna copies every one
            yield finished
        else:
            yield create_trial(
                state=TrialState.RUNNING,
                params=dict(sorted(trial.params.items())),
                distributions={name: space[name] for name in sorted(trial.params)},
                system_attrs=dict(trial.system_attrs),
            )


def _canonical(value: Any, distribution: BaseDistribution) -> Any:
    """The value as every tracked file will show it: what is reported is what was tried."""
    if not isinstance(distribution, optuna.distributions.FloatDistribution):
        return value
    return min(max(round_float(value), distribution.low), distribution.high)
