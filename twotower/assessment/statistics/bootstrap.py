"""Confidence intervals of means over users."""

from statistics import NormalDist
from typing import Literal

import numpy as np

from twotower.assessment.statistics.exact_sums import (
    block_rows,
    fixed_point,
    rounding_error,
)
from twotower.common.arrays import Float64Array

NORMAL = NormalDist()

Method = Literal["bca", "percentile"]
"""Bias-corrected and accelerated for metrics, which are skewed; percentile for differences."""


def bootstrap_intervals(
    values: Float64Array,
    *,
    seed: int,
    level: float = 0.95,
    resamples: int = 10_000,
    method: Method = "bca",
) -> tuple[Float64Array, Float64Array]:
    """Bootstrap intervals of means over users.

    Whole users are drawn with replacement: all columns share the resamples. The result has the
    same bits on any number of threads. If all values are equal, the interval has no width; for a
    single user it is NaN.

    Args:
        values: [n, k], a row per user and a column per metric.
        seed: of the resamples.
        level: confidence level.
        resamples: number of resamples.
        method: see Method.

    Returns:
        [k] lower and [k] upper ends.

    Raises:
        ValueError: if there are no values, or one is not finite.

    Source: Efron, JASA 1987; the acceleration of a mean in closed form (Efron and Tibshirani, An
    Introduction to the Bootstrap, 1993, eq. 14.15).
    """
    values = np.asarray(values, dtype=np.float64)
    numbers, unit = fixed_point(values)
    count, num_columns = numbers.shape
    if count == 1:
        return np.full(num_columns, np.nan), np.full(num_columns, np.nan)
    sums = _resampled_sums(numbers, seed, resamples)
    shares = np.tile([(1 - level) / 2, (1 + level) / 2], (num_columns, 1))
    if method == "bca":
        bias = _bias(sums, numbers.sum(axis=0), rounding_error(numbers))
        shares = _bca_shares(bias, _acceleration(values), level)
    ends = np.stack([np.quantile(sums[:, i], shares[i]) for i in range(num_columns)])
    low, high = (ends * unit[:, None] / count).T
    return low, high


def _resampled_sums(numbers: Float64Array, seed: int, resamples: int) -> Float64Array:
    """[resamples, k] sums of n rows drawn with replacement."""
    rng = np.random.default_rng(seed)
    count = len(numbers)
    sums = np.empty((resamples, numbers.shape[1]))
    block = block_rows(count)
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        drawn = rng.integers(0, count, size=(rows, count))
        drawn += np.arange(0, rows * count, count)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * count).reshape(rows, count)
        sums[start : start + rows] = times.astype(np.float64) @ numbers
    return sums


def _bias(sums: Float64Array, observed: Float64Array, tolerance: float) -> Float64Array:
    """[k] normal quantile of the share of resamples below the observed sum; ties count half."""
    below = np.count_nonzero(sums < observed - tolerance, axis=0)
    not_above = np.count_nonzero(sums <= observed + tolerance, axis=0)
    # An extra resample on either side keeps the quantile finite.
    shares = (below + not_above + 1) / (2 * len(sums) + 2)
    return np.array([NORMAL.inv_cdf(share) for share in shares.tolist()])


def _acceleration(values: Float64Array) -> Float64Array:
    """[k] skewness / (6 √n); 0 for values that are all equal."""
    # A row per metric, as numpy's order of summation depends on the memory layout.
    rows = np.ascontiguousarray(values.T)
    centred = rows - rows.mean(axis=1, keepdims=True)
    squares = np.square(centred).sum(axis=1)
    cubes = np.power(centred, 3).sum(axis=1)
    acceleration: Float64Array = np.divide(
        cubes, 6 * squares**1.5, out=np.zeros(len(cubes)), where=squares > 0
    )
    return acceleration


def _bca_shares(bias: Float64Array, acceleration: Float64Array, level: float) -> Float64Array:
    """[k, 2] shares of the resamples below the lower and the upper end."""
    ends = np.array([NORMAL.inv_cdf((1 - level) / 2), NORMAL.inv_cdf((1 + level) / 2)])
    shifted = bias[:, None] + ends
    quantiles = bias[:, None] + shifted / (1 - acceleration[:, None] * shifted)
    return np.array([[NORMAL.cdf(z) for z in pair] for pair in quantiles.tolist()])
