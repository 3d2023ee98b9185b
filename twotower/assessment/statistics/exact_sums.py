"""Sums that come out the same in whatever order they are added."""

import numpy as np

from twotower.common.arrays import Float64Array

BLOCK_CELLS = 2**21
"""Cells of a matrix of resamples by users that is held at a time: 16 MiB, whatever the sizes."""


def fixed_point(values: Float64Array) -> tuple[Float64Array, Float64Array]:
    """Values as whole numbers of a unit so large that every sum of n of them is exact.

    A matrix product adds in an order that depends on the machine and its number of threads. Whole
    numbers below 2**53 have the same sum in each.

    Args:
        values: [n, k], finite.

    Returns:
        [n, k] whole numbers, and [k] the unit of each column: a power of two, 2**-37 for 30,000
        values up to 1.

    Raises:
        ValueError: if there is no value, or one is not finite.
    """
    if not len(values) or not np.isfinite(values).all():
        msg = "needs at least one value, and finite ones"
        raise ValueError(msg)
    _, exponent = np.frexp(np.abs(values).max(axis=0) * len(values))
    shift = 52 - exponent
    return np.rint(np.ldexp(values, shift)), np.ldexp(np.ones(len(shift)), -shift)


def rounding_error(values: Float64Array) -> float:
    """In units, how far the sums of n numbers from `fixed_point` can be apart that are equal."""
    return float(len(values))


def block_rows(num_columns: int) -> int:
    """Rows of a matrix with that many columns that are held at a time."""
    return max(1, BLOCK_CELLS // max(1, num_columns))
