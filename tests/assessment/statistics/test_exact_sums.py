"""Sums that do not depend on their order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from twotower.assessment.statistics.exact_sums import fixed_point

FINITE = st.floats(-1e6, 1e6, allow_nan=False)


@given(arrays(np.float64, st.tuples(st.integers(1, 40), st.integers(1, 3)), elements=FINITE))
def test_values_survive_and_any_order_gives_the_same_bits(values: np.ndarray) -> None:
    numbers, unit = fixed_point(values)
    scale = np.abs(values).max(axis=0)
    assert (np.abs(numbers * unit - values) <= np.maximum(scale * 1e-11, 1e-300)).all()
    shuffled = np.random.default_rng(0).permutation(numbers)
    assert np.add.accumulate(numbers)[-1].tolist() == np.add.accumulate(shuffled)[-1].tolist()
    assert (np.abs(numbers).sum(axis=0) < 2**53).all()


@pytest.mark.parametrize("values", [np.empty((0, 1)), np.array([[np.nan]]), np.array([[np.inf]])])
def test_unusable_values_are_refused(values: np.ndarray) -> None:
    with pytest.raises(ValueError, match="finite"):
        fixed_point(values)
