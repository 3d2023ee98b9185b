"""The rule that this one replaced, in a few lines: sign flips, and a percentile bootstrap."""

import numpy as np

from twotower.common.arrays import BoolArray, Float64Array


def flipped(differences: Float64Array, seed: int, resamples: int) -> Float64Array:
    """[k] one-sided p-values of [n, k] differences, if each is as likely as its negative."""
    rng = np.random.default_rng(seed)
    words = rng.integers(0, 256, (resamples, -(-len(differences) // 8)), dtype=np.uint8)
    signs = np.unpackbits(words, axis=1, count=len(differences)) * 2.0 - 1
    observed = differences.sum(axis=0)
    reached = np.count_nonzero(signs @ differences >= observed - 1e-9, axis=0)
    p_values: Float64Array = (reached + 1.0) / (resamples + 1.0)
    return p_values


def resampled(values: Float64Array, seed: int, resamples: int) -> Float64Array:
    """[resamples, k] means of as many of the [n, k] rows, drawn with replacement."""
    count = len(values)
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, count, (resamples, count), dtype=np.uint32)
    cells = drawn + np.arange(resamples)[:, None] * count
    times = np.bincount(cells.ravel(), minlength=resamples * count).reshape(resamples, count)
    means: Float64Array = times.astype(np.float64) @ values / count
    return means


def beats(p_values: Float64Array, means: Float64Array, alpha: float) -> BoolArray:
    """[k] whether the flips and the bootstrap's lower bound both say that a mean is above 0."""
    return (p_values <= alpha) & (np.quantile(means, alpha, axis=0) > 0)
