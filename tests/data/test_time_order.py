import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from twotower.data.time_order import later_rows, time_order

EVENTS = st.lists(st.tuples(st.integers(0, 3), st.integers(-2, 2)), max_size=30)


@given(EVENTS)
def test_time_order_is_by_user_then_time_then_row(events):
    users, times = np.array(events, dtype=np.int64).reshape(-1, 2).T
    expected = sorted(range(len(events)), key=lambda row: (*events[row], row))
    assert time_order(users, times).tolist() == expected


@given(EVENTS)
def test_later_rows_equal_a_count_row_by_row(events):
    users, times = np.array(events, dtype=np.int64).reshape(-1, 2).T
    expected = [sum(other == user and at > time for other, at in events) for user, time in events]
    assert later_rows(users, times).tolist() == expected
