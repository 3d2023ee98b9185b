"""Whether one scorer is better than another, by the metric of each user under both.

The one rule behind every claim that A beats B: the mean of the users' differences is tested and
bounded by one construction, that of `twotower.assessment.statistics.bounded_means`. A beats B if
the p-value of "A is no better" is ALPHA at most, which is so exactly if the lower bound of the
difference is above 0.

A baseline is beaten if the model beats it. If the model was trained with several seeds, each user's
mean over them has to as well, so that a lucky seed beats nothing. A baseline is better than the
model by the same test turned round, except that the p-values are adjusted for the number of
baselines: any of them may turn out to be the one that is named.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from twotower.assessment.statistics.bounded_means import DIFFERENCE, weighted_means
from twotower.assessment.statistics.multiple import holm
from twotower.common.arrays import Float64Array, Int64Array
from twotower.common.seeds import derive_seed

ALPHA = 0.05
RESAMPLES = 10_000


@dataclass(frozen=True)
class Difference:
    """How far scorer A is above scorer B on the same users.

    Attributes:
        difference: of the means, A - B.
        lower_bound: of the true difference, at confidence 1 - alpha, one-sided.
        upper_bound: likewise.
        p_value: of the test that the true difference is at most 0.
        p_value_worse: of the test that it is at least 0.
    """

    difference: float
    lower_bound: float
    upper_bound: float
    p_value: float
    p_value_worse: float


@dataclass(frozen=True)
class Paired(Difference):
    """Scorer A against scorer B.

    Attributes:
        beats: whether `p_value` is at most alpha: the lower bound is above 0.
    """

    beats: bool


def beats(
    a: Float64Array,
    b: Float64Array,
    *,
    seed: int,
    alpha: float = ALPHA,
    resamples: int = RESAMPLES,
    clusters: Int64Array | None = None,
) -> Paired:
    """Compare two scorers.

    Args:
        a: [n] the metric of each user under one, in [0, 1].
        b: [n] under the other, of the same users.
        seed: of the draws.
        alpha: level of the test.
        resamples: number of draws.
        clusters: [n] the cluster of each user; None: each user alone.

    Raises:
        ValueError: if there is no user, or a metric is not finite or not in [0, 1].
    """
    return _paired((a - b)[:, None], seed, alpha, resamples, clusters)[0]


def _paired(
    differences: Float64Array,
    seed: int,
    alpha: float,
    resamples: int,
    clusters: Int64Array | None,
) -> list[Paired]:
    """The comparison of each column."""
    means = weighted_means(
        differences, seed=seed, resamples=resamples, limits=DIFFERENCE, clusters=clusters
    )
    lows, highs = means.bounds(1 - 2 * alpha)
    p_values, reverse = means.p_values("greater"), means.p_values("less")
    columns = zip(differences.mean(axis=0), lows, highs, p_values, reverse, strict=True)
    return [
        Paired(
            difference=float(difference),
            lower_bound=float(low),
            upper_bound=float(high),
            p_value=float(p_value),
            p_value_worse=float(worse),
            beats=bool(p_value <= alpha),
        )
        for difference, low, high, p_value, worse in columns
    ]


@dataclass(frozen=True)
class Comparison(Difference):
    """The model against one baseline; `p_value_worse` is adjusted over all of them (Holm).

    Attributes:
        beaten: whether `p_value` is at most ALPHA, for the model and for its mean over seeds.
        worse: whether `p_value_worse` is, likewise.
        over_seeds: the same comparison for the mean over training seeds; None with a single seed.
    """

    beaten: bool
    worse: bool
    over_seeds: "Comparison | None" = None


def compare(
    model: Float64Array,
    baselines: Mapping[str, Float64Array],
    *,
    seed: int,
    alpha: float,
    resamples: int,
    clusters: Int64Array | None = None,
) -> dict[str, Comparison]:
    """The model against each baseline, without its mean over training seeds.

    Args:
        model: [n] the metric of each user.
        baselines: likewise, by name.
        seed: of the draws.
        alpha: level of every test.
        resamples: of every test.
        clusters: [n] the cluster of each user; None: each user alone.
    """
    differences = np.stack([model - values for values in baselines.values()], axis=1)
    draws = derive_seed(seed, "verdict", "draws")
    found = dict(
        zip(baselines, _paired(differences, draws, alpha, resamples, clusters), strict=True)
    )
    adjusted = holm({name: one.p_value_worse for name, one in found.items()})
    return {
        name: Comparison(
            difference=one.difference,
            lower_bound=one.lower_bound,
            upper_bound=one.upper_bound,
            p_value=one.p_value,
            p_value_worse=adjusted[name],
            beaten=one.beats,
            worse=adjusted[name] <= alpha,
        )
        for name, one in found.items()
    }


def why_not_beaten(comparison: Mapping[str, Any]) -> list[str]:
    """What keeps a baseline from being beaten.

    Args:
        comparison: the fields of a `Comparison`.
    """
    reasons = [f"p {comparison['p_value']:.2g}"]
    if over_seeds := comparison["over_seeds"]:
        reasons.append(f"p {over_seeds['p_value']:.2g} for the mean over seeds")
    return reasons
