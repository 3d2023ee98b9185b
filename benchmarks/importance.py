"""How close fANOVA and PED-ANOVA come to the importance of parameters whose importance is known.

    python -m benchmarks.importance [--trials 10 20 50 100 200] [--searches 6]

The objective is a sum of parabolas of six parameters, of which three do nothing, and noise. For
each number of trials, proposed at random and by TPE: the mean distance of the shares from those of
the variance, how often the most important parameter comes first, and the seconds it takes.
"""

import argparse
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import optuna
from optuna.distributions import FloatDistribution
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial

from twotower.plots.importance import fanova, ped_anova, ranges_of

WEIGHTS = {"a": 1.0, "b": 0.6, "c": 0.3, "d": 0.0, "e": 0.0, "f": 0.0}
NOISE = 0.25
BEST = 0.4
"""Where each parabola has its top; the range is from 0 to 1."""

Method = Callable[[Sequence[FrozenTrial]], Mapping[str, float]]


def true_shares() -> dict[str, float]:
    """Of the variance that the parameters make, with values spread evenly."""
    total = sum(weight**2 for weight in WEIGHTS.values())
    return {name: weight**2 / total for name, weight in WEIGHTS.items()}


def search(count: int, sampler: BaseSampler, seed: int) -> list[FrozenTrial]:
    """The trials of a search for the top."""
    generator = np.random.default_rng(seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    ranges = {name: FloatDistribution(0, 1) for name in WEIGHTS}
    for _ in range(count):
        trial = study.ask(ranges)  # type: ignore[arg-type]
        height = sum(-w * (trial.params[name] - BEST) ** 2 for name, w in WEIGHTS.items())
        study.tell(trial, 10 * height + NOISE * generator.normal())
    return study.get_trials(deepcopy=False)


def mean_over_trees(trials: Sequence[FrozenTrial]) -> dict[str, float]:
    """FANOVA as the page draws it, with bars that sum to 1 so that the two can be compared."""
    rows = fanova(trials, ranges_of(trials))
    means = {name: float(np.mean([row[name] for row in rows])) for name in WEIGHTS}
    return {name: mean / sum(means.values()) for name, mean in means.items()}


def measure(
    method: Method, searches: Sequence[Sequence[FrozenTrial]]
) -> tuple[float, float, float]:
    """Mean distance from the true shares, share of right first places, seconds for a search."""
    truth = true_shares()
    start = time.perf_counter()
    found = [method(trials) for trials in searches]
    seconds = (time.perf_counter() - start) / len(searches)
    distances = [abs(shares[name] - truth[name]) for shares in found for name in truth]
    first = [max(truth, key=lambda name: shares[name]) == "a" for shares in found]
    return float(np.mean(distances)), float(np.mean(first)), seconds


def main() -> None:
    """Print a line for each sampler, number of trials and method."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, nargs="+", default=[10, 20, 50, 100, 200])
    parser.add_argument("--searches", type=int, default=6)
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    print(
        f"{'sampler':<14} {'trials':>6} {'method':<9} {'distance':>8} {'first':>6} {'seconds':>8}"
    )
    for sampler in (RandomSampler, TPESampler):
        for count in arguments.trials:
            seeds = range(arguments.searches)
            searches = [search(count, sampler(seed=seed), seed) for seed in seeds]
            for name, method in (("fANOVA", mean_over_trees), ("PED-ANOVA", ped_anova)):
                distance, first, seconds = measure(method, searches)
                print(
                    f"{sampler.__name__:<14} {count:>6} {name:<9} {distance:>8.3f} {first:>6.2f} "
                    f"{seconds:>8.2f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
