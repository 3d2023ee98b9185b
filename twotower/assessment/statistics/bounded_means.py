"""Confidence bounds and tests of means over users, of values with known limits.

The one construction of every interval and p-value over users. The n observed values and one
imagined user at the worst possible value (the lower limit for a lower bound, the upper limit for an
upper one) get random weights, Dirichlet(1, …, 1). The lower bound is a quantile of the weighted
mean; the p-value of "the true mean is at most 0" is the share of draws in which it is at most 0. So
the interval excludes 0 exactly if the test rejects.

For values of 0 and 1 these are the bounds of Clopper and Pearson, which hold at any n; for many
users they are those of the Bayesian bootstrap. In between the level is conjectured: no
counterexample is known. What is assumed is that users, or clusters of them, are independent draws.

Sources: Gaffke, "Three test statistics for a nonparametric one-sided hypothesis on the mean of a
nonnegative variable", Mathematical Methods of Statistics 2005; Learned-Miller and Thomas, "A new
confidence interval for the mean of a bounded random variable", 2019; Phan, Thomas and
Learned-Miller, "Towards practical mean bounds for small samples", ICML 2021.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from twotower.assessment.statistics.exact_sums import block_rows, scaled_integers
from twotower.common.arrays import Float64Array, Int64Array

Alternative = Literal["greater", "less", "two-sided"]
Limits = tuple[ArrayLike, ArrayLike]
"""Lowest and highest possible value: of all columns, or [k] of each."""

METRIC = (0.0, 1.0)
DIFFERENCE = (-1.0, 1.0)

MAX_ROWS = 2**14
"""Users, or clusters, above which those with similar values are weighted together."""
BINS = 512
WEIGHT_BITS = 27
VALUE_BITS = 25
"""Products of weights and values sum up to less than 2**53, so that sums of integers are exact."""
SLACK = 1e-9
"""By which rounding may carry a value over its limits, or a share below a whole number."""


@dataclass(frozen=True)
class WeightedMeans:
    """Draws of the weighted mean.

    Attributes:
        lows: [resamples, k], the imagined user at the lower limit.
        highs: [resamples, k], the same draws with that user at the upper limit.
        limits: [k] lowest and [k] highest possible value.
    """

    lows: Float64Array
    highs: Float64Array
    limits: tuple[Float64Array, Float64Array]

    def bounds(self, level: float) -> tuple[Float64Array, Float64Array]:
        """[k] lower and [k] upper ends of the two-sided interval; each misses (1 - level) / 2."""
        # The p-value (1 + count) / (resamples + 1) is small enough for this many draws beyond 0.
        place = math.floor((1 - level) / 2 * (len(self.lows) + 1) + SLACK) - 1
        if place < 0:
            return self.limits
        low = np.partition(self.lows, place, axis=0)[place]
        high = np.partition(self.highs, -1 - place, axis=0)[-1 - place]
        return np.maximum(low, self.limits[0]), np.minimum(high, self.limits[1])  # after rounding

    def p_values(self, alternative: Alternative) -> Float64Array:
        """[k] p-values of a mean of 0 against the alternative, multiples of 1 / (resamples + 1)."""
        total = len(self.lows) + 1.0
        greater: Float64Array = (1.0 + np.count_nonzero(self.lows <= 0, axis=0)) / total
        less: Float64Array = (1.0 + np.count_nonzero(self.highs >= 0, axis=0)) / total
        both: Float64Array = np.minimum(1.0, 2 * np.minimum(greater, less))
        return {"greater": greater, "less": less, "two-sided": both}[alternative]


def confidence_bounds(
    values: Float64Array,
    *,
    seed: int,
    level: float = 0.95,
    resamples: int = 10_000,
    limits: Limits = METRIC,
    clusters: Int64Array | None = None,
) -> tuple[Float64Array, Float64Array]:
    """Confidence intervals of means over users; see `weighted_means`.

    Returns:
        [k] lower and [k] upper ends, within the limits; each misses with (1 - level) / 2.
    """
    means = weighted_means(values, seed=seed, resamples=resamples, limits=limits, clusters=clusters)
    return means.bounds(level)


def p_values(
    differences: Float64Array,
    *,
    seed: int,
    resamples: int = 10_000,
    alternative: Alternative = "greater",
    limits: Limits = DIFFERENCE,
    clusters: Int64Array | None = None,
) -> Float64Array:
    """p-values of a mean of 0; see `weighted_means`.

    Returns:
        [k] p-values, never 0: one draw more is counted. `two-sided` is twice the smaller of the
        other two, at most 1.
    """
    means = weighted_means(
        differences, seed=seed, resamples=resamples, limits=limits, clusters=clusters
    )
    return means.p_values(alternative)


def weighted_means(
    values: Float64Array,
    *,
    seed: int,
    resamples: int = 10_000,
    limits: Limits = METRIC,
    clusters: Int64Array | None = None,
) -> WeightedMeans:
    """Draws of the means over users, from which bounds and p-values are read.

    A column's draws do not depend on the others. Up to MAX_ROWS users all columns share the
    weights; above, users whose values fall into the same of BINS bins are weighted together, and
    count as their mean. The result has the same bits on any number of threads.

    Args:
        values: [n, k], a row per user and a column per metric.
        seed: of the weights.
        resamples: number of draws.
        limits: between which the values lie.
        clusters: [n] the cluster of each user, e.g. a household: whole clusters are weighted, and
            the imagined one is as large as the largest. None: each user alone.

    Raises:
        ValueError: if there are no values, one is not finite or outside the limits, or `clusters`
            has another length.
    """
    values = np.asarray(values, dtype=np.float64)
    low, high = (
        np.broadcast_to(np.asarray(end, dtype=np.float64), values.shape[1:]) for end in limits
    )
    if not len(values) or not np.isfinite(values).all():
        msg = "needs at least one value, all finite"
        raise ValueError(msg)
    if (values.min(axis=0) < low - SLACK).any() or (values.max(axis=0) > high + SLACK).any():
        msg = f"values outside their limits, {low.tolist()} and {high.tolist()}"
        raise ValueError(msg)
    lows, highs = [], []
    for columns, groups in _groups(values, clusters):
        sums, sizes, imagined = _draws(groups, seed, resamples)
        lows.append((sums + imagined * low[columns]) / (sizes + imagined))
        highs.append((sums + imagined * high[columns]) / (sizes + imagined))
    return WeightedMeans(np.hstack(lows), np.hstack(highs), (low, high))


class _Groups(NamedTuple):
    """What gets a weight: users, clusters, or bins of either.

    Attributes:
        sums: [g, k] of the values.
        sizes: [g] users in each; in a bin, the mean of its members, as with `sums`.
        counts: [g] members of each bin; None if every one is alone.
        largest: number of users that the imagined member stands for.
    """

    sums: Float64Array
    sizes: Float64Array
    counts: Float64Array | None
    largest: float


def _groups(values: Float64Array, clusters: Int64Array | None) -> Iterator[tuple[slice, _Groups]]:
    """All columns at once; one after the other where users or clusters are too many."""
    codes, sizes = None, np.ones(len(values))
    if clusters is not None:
        if len(clusters) != len(values):
            msg = f"{len(clusters)} clusters for {len(values)} users"
            raise ValueError(msg)
        _, codes, counts = np.unique(clusters, return_inverse=True, return_counts=True)
        sizes = counts.astype(np.float64)
    step = 1 if len(sizes) > MAX_ROWS else values.shape[1]
    for start in range(0, values.shape[1], step):
        columns = slice(start, start + step)
        sums = values[:, columns]
        if codes is not None:
            totals = [np.bincount(codes, weights=column) for column in sums.T]
            sums = np.stack(totals, axis=1)
        groups = _Groups(sums, sizes, None, float(sizes.max()))
        yield columns, groups if len(sizes) <= MAX_ROWS else _binned(groups)


def _binned(groups: _Groups) -> _Groups:
    """Groups whose sums, less what is expected of their sizes, are in the same bin of equal width.

    Args:
        groups: of a single column.
    """
    both, unit = scaled_integers(np.column_stack([groups.sums, groups.sizes]), VALUE_BITS)
    sums, sizes = both.T
    rest = sums - (sums.sum() / sizes.sum()) * sizes
    width = (rest.max() - rest.min()) / BINS
    place = np.zeros(len(rest)) if width == 0 else (rest - rest.min()) / width
    bins = np.minimum(place.astype(np.int64), BINS - 1)
    counts = np.bincount(bins, minlength=BINS).astype(np.float64)
    used = counts > 0
    means = [
        (np.bincount(bins, weights=column, minlength=BINS)[used] / counts[used]) * one
        for column, one in zip((sums, sizes), unit, strict=True)
    ]
    return _Groups(means[0][:, None], means[1], counts[used], groups.largest)


def _draws(
    groups: _Groups, seed: int, resamples: int
) -> tuple[Float64Array, Float64Array, Float64Array]:
    """Weighted sums [resamples, k] and sizes [resamples, 1]; those of the imagined member alone.

    The weights are Gamma: 1 for one member, and their number for a bin. Divided by their sum they
    are Dirichlet. They are rounded to integers, as are the values.
    """
    rng = np.random.default_rng(seed)
    numbers, unit = scaled_integers(np.column_stack([groups.sums, groups.sizes]), VALUE_BITS)
    members = len(numbers) if groups.counts is None else groups.counts.sum()
    # Sums of weights are above this with a probability of 1e-20 at most.
    shift = WEIGHT_BITS - math.ceil(math.log2(2 * members + 64))
    totals, imagined = np.empty((resamples, len(unit))), np.empty((resamples, 1))
    block = block_rows(len(numbers) + 1)
    for start in range(0, resamples, block):
        rows = slice(start, min(resamples, start + block))
        shape = (rows.stop - start, len(numbers) + 1)
        if groups.counts is None:
            weights = rng.standard_exponential(shape)
        else:
            weights = rng.standard_gamma(np.append(groups.counts, 1.0), shape)
        np.rint(weights * 2.0**shift, out=weights)
        totals[rows] = weights[:, :-1] @ numbers
        imagined[rows] = weights[:, -1:]
    totals *= unit
    return totals[:, :-1], totals[:, -1:], imagined * groups.largest
