"""Which hyperparameters trial n tries: a function of its number and of earlier trials alone."""

import json
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from twotower.common.files import round_float
from twotower.common.seeds import derive_seed
from twotower.config.search import HpoConfig, ParameterSpace
from twotower.search.trial import Distributions, Params, TrialRecord

optuna.logging.set_verbosity(optuna.logging.WARNING)


def distributions(space: Mapping[str, ParameterSpace]) -> dict[str, BaseDistribution]:
    """Optuna's form of a search space, in alphabetical order."""
    return {
        name: json_to_distribution(json.dumps(space[name].model_dump(mode="json")))
        for name in sorted(space)
    }


def propose(
    number: int, records: Mapping[int, TrialRecord], config: HpoConfig, seed: int, defaults: Params
) -> Params:
    """Hyperparameters of trial `number`.

    A fresh study sees trials 0..number - lookahead as finished and the later ones as running, and
    a fresh sampler is seeded by (seed, number). Neither the order in which trials finish nor an
    interruption can change what is proposed.

    Args:
        number: of the trial, from 0.
        records: at least trials 0..number - 1.
        config: space, sampler, lookahead, and whether trial 0 is the defaults.
        seed: the seed of params.yaml.
        defaults: value of every searched hyperparameter in params.yaml.
    """
    space = distributions(config.search_space)
    study = optuna.create_study(
        direction="maximize", sampler=_sampler(config.sampler, derive_seed(seed, "sampler", number))
    )
    known = max(number - config.lookahead + 1, 0)
    study.add_trials(_shadow(records, known, number, space))
    if number == 0 and config.include_defaults:
        study.enqueue_trial({name: defaults[name] for name in space})
    trial = study.ask(fixed_distributions=space)
    return {name: _canonical(trial.params[name], space[name]) for name in space}


def _sampler(name: str, seed: int) -> BaseSampler:
    if name == "random":
        return RandomSampler(seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return TPESampler(seed=seed, multivariate=True, constant_liar=True)


def _shadow(
    records: Mapping[int, TrialRecord], known: int, number: int, space: Distributions
) -> Sequence[optuna.trial.FrozenTrial]:
    finished = [records[n].without_times().to_optuna(space) for n in range(known)]
    running = [records[n].without_times().to_optuna(space) for n in range(known, number)]
    for trial in running:
        trial.state = optuna.trial.TrialState.RUNNING
        trial.value = None
        trial.datetime_complete = None
        trial.user_attrs.clear()
    return [*finished, *running]


def _canonical(value: Any, distribution: BaseDistribution) -> Any:
    """The value as every tracked file will show it: what is reported is what was tried."""
    if not isinstance(distribution, optuna.distributions.FloatDistribution):
        return value
    return min(max(round_float(value), distribution.low), distribution.high)
