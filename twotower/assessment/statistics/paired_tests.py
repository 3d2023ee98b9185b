"""Paired tests and intervals of two scorers on the same users."""

from typing import Literal

import numpy as np

from twotower.assessment.statistics.bootstrap import bootstrap_intervals
from twotower.assessment.statistics.exact_sums import (
    block_rows,
    fixed_point,
    rounding_error,
)
from twotower.common.arrays import Float64Array

Alternative = Literal["greater", "two-sided"]


def paired_test(
    differences: Float64Array,
    *,
    seed: int,
    resamples: int = 10_000,
    alternative: Alternative = "greater",
) -> float:
    """p-value of the mean difference of one metric; see `paired_tests`.

    Args:
        differences: [n], one per user.
        seed: of the sign flips.
        resamples: number of resamples.
        alternative: to a mean of 0.

    Raises:
        ValueError: if there are no differences, or one is not finite.
    """
    columns = np.reshape(differences, (-1, 1))
    return float(paired_tests(columns, seed=seed, resamples=resamples, alternative=alternative)[0])


def paired_tests(
    differences: Float64Array,
    *,
    seed: int,
    resamples: int = 10_000,
    alternative: Alternative = "greater",
) -> Float64Array:
    """p-values of mean differences by random sign flips.

    Under the null hypothesis each user's difference is as likely as its negative. Users without a
    difference stay at 0 in every resample. All columns share the flips. The observed signs count
    as one more resample, so that a p-value is never 0 and the test keeps its level.

    Args:
        differences: [n, k], a row per user and a column per metric.
        seed: of the sign flips.
        resamples: number of resamples.
        alternative: to a mean of 0.

    Returns:
        [k] p-values, multiples of 1 / (resamples + 1).

    Raises:
        ValueError: if there are no differences, or one is not finite.

    Source: Fisher's randomisation test for pairs; the correction: Phipson and Smyth, SAGMB 2010.
    """
    numbers, _ = fixed_point(np.asarray(differences, dtype=np.float64))
    tolerance = rounding_error(numbers)
    numbers = numbers[numbers.any(axis=1)]
    sums, observed = _flipped_sums(numbers, seed, resamples), numbers.sum(axis=0)
    if alternative == "two-sided":
        sums, observed = np.abs(sums), np.abs(observed)
    reached = np.count_nonzero(sums >= observed - tolerance, axis=0)
    p_values: Float64Array = (reached + 1.0) / (resamples + 1.0)
    return p_values


def paired_interval(
    differences: Float64Array,
    *,
    seed: int,
    level: float = 0.95,
    resamples: int = 10_000,
) -> tuple[float, float]:
    """Confidence interval of the mean difference of one metric; see `paired_intervals`.

    Args:
        differences: [n], one per user.
        seed: of the resamples.
        level: confidence level.
        resamples: number of resamples.

    Raises:
        ValueError: if there are no differences, or one is not finite.
    """
    columns = np.reshape(differences, (-1, 1))
    low, high = paired_intervals(columns, seed=seed, level=level, resamples=resamples)
    return float(low[0]), float(high[0])


def paired_intervals(
    differences: Float64Array,
    *,
    seed: int,
    level: float = 0.95,
    resamples: int = 10_000,
) -> tuple[Float64Array, Float64Array]:
    """Percentile bootstrap intervals of mean differences over users.

    Differences have heavy tails on both sides and little skew: a correction for skew would fit the
    noise of a few users and lower the coverage of the intervals.

    Args:
        differences: [n, k], a row per user and a column per metric.
        seed: of the resamples.
        level: confidence level.
        resamples: number of resamples.

    Returns:
        [k] lower and [k] upper ends.

    Raises:
        ValueError: if there are no differences, or one is not finite.
    """
    return bootstrap_intervals(
        differences, seed=seed, level=level, resamples=resamples, method="percentile"
    )


def _flipped_sums(numbers: Float64Array, seed: int, resamples: int) -> Float64Array:
    """[resamples, k] sums over rows, each with its sign kept or flipped at random."""
    rng = np.random.default_rng(seed)
    count = len(numbers)
    kept = np.empty((resamples, numbers.shape[1]))
    block = block_rows(count)
    for start in range(0, resamples, block):
        rows = min(block, resamples - start)
        # Whole words: with narrower integers the generator discards the rest of the last word.
        words = rng.integers(0, 2**64, size=(rows, -(-count // 64)), dtype=np.uint64)
        heads = np.unpackbits(words.astype("<u8").view(np.uint8), axis=1, count=count)
        kept[start : start + rows] = heads.astype(np.float64) @ numbers
    sums: Float64Array = 2 * kept - numbers.sum(axis=0)
    return sums
