"""Sums that do not depend on the order of summation."""

import numpy as np

from twotower.common.arrays import Float64Array

BLOCK_CELLS = 2**21
"""Cells of a block of the [resamples, users] matrix: 16 MiB."""


def scaled_integers(values: Float64Array, bits: int) -> tuple[Float64Array, Float64Array]:
    """Values as integers of that many bits at most, as multiples of a unit.

    The order of summation in a matrix product depends on the machine and the number of threads;
    sums of integers below 2**53 do not depend on it.

    Args:
        values: [n, k], finite; n at least 1.
        bits: of the largest absolute value of a column.

    Returns:
        [n, k] integers as float64, and [k] the unit of each column: a power of two.
    """
    _, exponent = np.frexp(np.abs(values).max(axis=0))
    shift = bits - exponent
    return np.rint(np.ldexp(values, shift)), np.ldexp(np.ones(len(shift)), -shift)


def block_rows(num_columns: int) -> int:
    """Rows of a block of a matrix with that many columns."""
    return max(1, BLOCK_CELLS // max(1, num_columns))
