"""The model against its baselines, by the metric of each user under each.

A baseline is beaten if the model's mean is above its mean by both of two one-sided tests at
level ALPHA: a paired randomisation test, and a bootstrap over users whose lower bound is above 0.
The first rejects too often where nearly all users score highly, the second where few users score
at all; together they keep to the level in both cases. Random is an expectation: where too few users
score below it to estimate how often that happens, a p-value that is valid for any values in [0, 1]
replaces that of the first test if it is larger. If the model was trained with several seeds, each
user's mean over them has to pass both tests as well, so that a lucky seed beats nothing.

A baseline is better than the model by the same tests turned round, except that the p-values are
adjusted for the number of baselines: any of them may turn out to be the one that is named.

The sources of the tests are named in `twotower.assessment.statistics`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from twotower.assessment.statistics.bootstrap import bootstrap_intervals
from twotower.assessment.statistics.bounded import bounded_p_value
from twotower.assessment.statistics.multiple import holm
from twotower.assessment.statistics.paired_tests import paired_tests
from twotower.common.arrays import Float64Array
from twotower.common.scorers import RANDOM
from twotower.common.seeds import derive_seed

ALPHA = 0.05
RESAMPLES = 10_000
MIN_SEEN = 10
"""Users with a metric above 0, or below random's, that it takes to estimate how common they are."""


@dataclass(frozen=True)
class Comparison:
    """The model against one baseline.

    Attributes:
        difference: of the means, model - baseline.
        lower_bound: of the true difference, at confidence 1 - ALPHA, one-sided; NaN for one user.
        upper_bound: likewise.
        p_value: of the test that the true difference is at most 0.
        p_value_worse: of the test that it is at least 0, adjusted over all baselines by Holm's
            method.
        beaten: whether test and bound both say that it is above 0, for the model and for its mean
            over seeds.
        worse: whether `p_value_worse` and the upper bound both say that it is below 0, likewise.
        over_seeds: the same comparison for the mean over training seeds; None with a single seed.
    """

    difference: float
    lower_bound: float
    upper_bound: float
    p_value: float
    p_value_worse: float
    beaten: bool
    worse: bool
    over_seeds: "Comparison | None" = None


def compare(
    model: Float64Array,
    baselines: Mapping[str, Float64Array],
    seed: int,
    alpha: float,
    resamples: int,
) -> dict[str, Comparison]:
    """The model against each baseline, without its mean over training seeds.

    Args:
        model: [n] the metric of each user.
        baselines: likewise, by name; `random` among them.
        seed: of the resamples.
        alpha: level of every test.
        resamples: of every test.
    """
    differences = np.stack([model - values for values in baselines.values()], axis=1)
    flips, draws = derive_seed(seed, "verdict", "flips"), derive_seed(seed, "verdict", "draws")
    both = np.hstack([differences, -differences])
    p_values, reverse = np.split(paired_tests(both, seed=flips, resamples=resamples), 2)
    adjusted = holm(dict(zip(baselines, reverse.tolist(), strict=True)))
    random = list(baselines).index(RANDOM)
    if not falls_short(model, baselines[RANDOM]):
        p_values[random] = max(p_values[random], bounded_p_value(model, baselines[RANDOM]))
    lows, highs = bootstrap_intervals(
        differences, seed=draws, level=1 - 2 * alpha, resamples=resamples
    )
    columns = zip(baselines, differences.mean(axis=0), lows, highs, p_values, strict=True)
    return {
        name: Comparison(
            difference=float(difference),
            lower_bound=float(low),
            upper_bound=float(high),
            p_value=float(p_value),
            p_value_worse=adjusted[name],
            beaten=bool(p_value <= alpha and low > 0),
            worse=bool(adjusted[name] <= alpha and high < 0),
        )
        for name, difference, low, high, p_value in columns
    }


def falls_short(model: Float64Array, random: Float64Array) -> bool:
    """Whether enough users score below random's expectation to estimate how common that is.

    Differences from an expectation are as skewed as the metric; those of two scorers are not.
    """
    return int(np.count_nonzero(model < random)) >= MIN_SEEN


def why_not_beaten(comparison: Mapping[str, Any], alpha: float = ALPHA) -> list[str]:
    """What keeps a baseline from being beaten.

    Args:
        comparison: the fields of a `Comparison`.
        alpha: level of its tests.
    """
    reasons = [f"p {comparison['p_value']:.2g}"]
    if over_seeds := comparison["over_seeds"]:
        reasons.append(f"p {over_seeds['p_value']:.2g} for the mean over seeds")
    if all(one["p_value"] <= alpha for one in (comparison, over_seeds) if one):
        reasons.append("bootstrap lower bound not above 0")
    return reasons
