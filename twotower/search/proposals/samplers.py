"""The samplers whose state is in earlier trials alone, with a seed for each proposal."""

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler

from twotower.config.hpo import CmaEsConfig, GpConfig, Nsga2Config, SamplerConfig, TpeConfig
from twotower.config.search_space import SearchSpace
from twotower.search.proposals.nsga2 import Nsga2Sampler


def make_sampler(
    config: SamplerConfig,
    seed: int,
    space: SearchSpace,
    distributions: Mapping[str, BaseDistribution],
) -> BaseSampler:
    """A fresh sampler for one proposal.

    Args:
        config: which one.
        seed: of this proposal.
        space: what is searched, and under which conditions.
        distributions: of all searched parameters.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if isinstance(config, TpeConfig):
            return TPESampler(
                seed=seed,
                n_startup_trials=config.n_startup_trials,
                multivariate=True,
                constant_liar=True,
                group=bool(space.conditions),  # parameters that occur together are sampled jointly
            )
        if isinstance(config, GpConfig):
            return GPSampler(
                seed=seed,
                n_startup_trials=config.n_startup_trials,
                warn_independent_sampling=False,
            )
        if isinstance(config, CmaEsConfig):
            from twotower.search.proposals.cmaes import CmaEsSampler  # it imports scipy.stats

            always = {k: v for k, v in distributions.items() if k not in space.conditions}
            return CmaEsSampler(seed, always)
        if isinstance(config, Nsga2Config):
            return Nsga2Sampler(seed, distributions, config.population_size)
        return RandomSampler(seed=seed)


@contextmanager
def same_arithmetic(config: SamplerConfig) -> Iterator[None]:
    """One torch thread and deterministic kernels: the bits of a Gaussian process depend on both."""
    if not isinstance(config, GpConfig):
        yield
        return
    import torch

    threads = torch.get_num_threads()
    strict = torch.get_deterministic_debug_mode()
    torch.set_num_threads(1)
    torch.set_deterministic_debug_mode("error")
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode(strict)


def suggest(trial: optuna.Trial, name: str, distribution: BaseDistribution) -> object:
    """Let the trial's sampler choose one parameter."""
    if isinstance(distribution, CategoricalDistribution):
        return trial.suggest_categorical(name, distribution.choices)
    if isinstance(distribution, IntDistribution):
        low, high = distribution.low, distribution.high
        return trial.suggest_int(name, low, high, step=distribution.step, log=distribution.log)
    if isinstance(distribution, FloatDistribution):
        low_, high_ = distribution.low, distribution.high
        return trial.suggest_float(name, low_, high_, step=distribution.step, log=distribution.log)
    raise TypeError(distribution)
