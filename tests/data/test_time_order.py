import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twotower.data import time_order as module
from twotower.data.time_order import later_rows, time_order, user_blocks

EVENTS = st.lists(st.tuples(st.integers(0, 3), st.integers(-2, 2)), max_size=30)


@given(EVENTS)
def test_time_order_is_by_user_then_time_then_row(events):
    users, times = np.array(events, dtype=np.int64).reshape(-1, 2).T
    expected = sorted(range(len(events)), key=lambda row: (*events[row], row))
    assert time_order(users, times).tolist() == expected


@pytest.mark.parametrize(
    "times", [lambda rng: rng.random(3000), lambda rng: rng.integers(9, size=3000)]
)
@pytest.mark.parametrize("far", [0, 2**63 - 10])
def test_time_order_of_many_rows_is_that_of_lexsort(monkeypatch, times, far):
    monkeypatch.setattr(module, "BLOCK_ROWS", 100)
    rng = np.random.default_rng(0)
    users, moments = rng.integers(40, size=3000).astype(np.int32), times(rng)
    moments[0] += far
    assert time_order(users, moments).tolist() == np.lexsort((moments, users)).tolist()


def test_blocks_hold_whole_users():
    users = np.array([0, 0, 1, 3, 3, 3, 3, 4])
    blocks = [users[block].tolist() for block in user_blocks(users, 2)]
    assert blocks == [[0, 0], [1, 3, 3, 3, 3], [4]]


@given(EVENTS)
def test_later_rows_equal_a_count_row_by_row(events):
    users, times = np.array(events, dtype=np.int64).reshape(-1, 2).T
    expected = [sum(other == user and at > time for other, at in events) for user, time in events]
    assert later_rows(users, times).tolist() == expected
