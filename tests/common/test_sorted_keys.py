import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twotower.common.sorted_keys import contains, distinct, distinct_counts

KEYS = st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3), max_size=30).map(
    lambda keys: np.array(keys, dtype=np.int64)
)


@given(KEYS)
def test_distinct_as_by_numpy(keys):
    expected, counts = np.unique(keys, return_counts=True)
    assert distinct(keys).tolist() == expected.tolist()
    found = distinct_counts(keys)
    assert [array.tolist() for array in found] == [expected.tolist(), counts.tolist()]


@given(KEYS, KEYS)
def test_contains_as_by_numpy(keys, others):
    assert contains(distinct(keys), others).tolist() == np.isin(others, keys).tolist()


@pytest.mark.parametrize("function", [distinct, lambda keys: distinct_counts(keys)[1]])
def test_the_keys_stay_as_they_are(function):
    keys = np.array([5, 3, 5])
    function(keys)
    assert keys.tolist() == [5, 3, 5]
