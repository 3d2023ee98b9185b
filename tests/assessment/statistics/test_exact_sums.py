"""Sums that do not depend on their order."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from twotower.assessment.statistics.exact_sums import block_rows, scaled_integers

FINITE = st.floats(-1e6, 1e6, allow_nan=False)


@given(
    arrays(np.float64, st.tuples(st.integers(1, 40), st.integers(1, 3)), elements=FINITE),
    st.integers(20, 40),
)
def test_values_survive_and_any_order_gives_the_same_bits(values: np.ndarray, bits: int) -> None:
    numbers, unit = scaled_integers(values, bits)
    scale = np.abs(values).max(axis=0)
    assert (np.abs(numbers * unit - values) <= np.maximum(scale * 2.0**-bits, 1e-300)).all()
    assert (np.abs(numbers) <= 2**bits).all()
    assert np.array_equal(numbers, np.rint(numbers))
    shuffled = np.random.default_rng(0).permutation(numbers)
    assert np.add.accumulate(numbers)[-1].tolist() == np.add.accumulate(shuffled)[-1].tolist()


def test_a_block_has_a_row_at_least() -> None:
    assert block_rows(2**20) == 2
    assert block_rows(2**30) == 1
