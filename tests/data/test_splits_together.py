"""`split.ties: together`: a user's events of one moment, a basket, are never parted."""

from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.data.split_inputs import EVENTS, FRACTIONS, events_of
from twotower.data.splits import (
    SPLIT_STRATEGIES,
    TEST,
    TRAIN,
    VALIDATION,
    leave_last_out,
    random_split,
    temporal_split,
)


@pytest.mark.parametrize("name", ["temporal", "random", "leave_last_out", "cutoff"])
@given(EVENTS, FRACTIONS, FRACTIONS)
def test_together_parts_no_basket_and_file_order_decides_nothing(name, events, validation, test):
    events = [*events, (0, -3), (0, 3), (0, 4)]  # enough moments for `cutoff`
    label = SPLIT_STRATEGIES[name].label
    forwards, backwards = (
        set(zip(rows, label(events_of(rows, validation, test, together=True)), strict=True))
        for rows in (events, events[::-1])
    )
    assert len(forwards) == len(set(events))
    assert forwards == backwards


@given(EVENTS, FRACTIONS, FRACTIONS)
def test_random_takes_baskets_until_it_has_the_share(events, validation, test):
    labels = random_split(events_of(events, validation, test, together=True)).tolist()
    for user in {user for user, _ in events}:
        own = [event for event in events if event[0] == user]
        baskets = {
            label: Counter(
                event
                for event, of in zip(events, labels, strict=True)
                if (event[0], of) == (user, label)
            )
            for label in (TRAIN, VALIDATION, TEST)
        }
        assert baskets[TRAIN]
        for label, fraction in ((VALIDATION, validation), (TEST, test)):
            share = max(1, len(own) * Fraction(repr(fraction)) // 1) if fraction else 0
            taken = baskets[label].total()
            assert taken >= share or len(baskets[TRAIN]) == 1
            assert taken == 0 or taken - max(baskets[label].values()) < share


@pytest.mark.parametrize("name", ["temporal", "random", "leave_last_out"])
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(-99, 99)), unique=True), *2 * [FRACTIONS])
def test_together_changes_nothing_where_no_times_are_equal(name, events, validation, test):
    together, one_by_one = (
        SPLIT_STRATEGIES[name].label(events_of(events, validation, test, together=value))
        for value in (True, False)
    )
    assert together.tolist() == one_by_one.tolist()


@given(EVENTS, FRACTIONS, FRACTIONS)
def test_leave_last_out_together_is_leave_last_out_of_baskets(events, validation, test):
    labels = leave_last_out(events_of(events, validation, test, together=True))
    baskets = sorted(set(events))
    expected = dict(
        zip(baskets, leave_last_out(events_of(baskets, validation, test)).tolist(), strict=True)
    )
    assert labels.tolist() == [expected[event] for event in events]


@pytest.mark.parametrize(
    ("sizes", "validation", "test", "expected"),
    [
        ([6, 6], 0.2, 0.1, (6, 0, 6)),  # test is cut first
        ([6], 0.2, 0.1, (6, 0, 0)),
        ([6, 6, 6], 0.2, 0.1, (6, 6, 6)),
        ([1] * 8 + [2], 0.2, 0.1, (6, 2, 2)),  # one row is asked for, and both of the basket go
        ([7, 1, 1, 1], 0.2, 0.1, (7, 2, 1)),
        ([1, 1, 8], 0.0, 0.9, (1, 0, 9)),
        ([1, 9], 0.1, 0.0, (1, 9, 0)),
    ],
)
def test_temporal_counts_by_hand(sizes, validation, test, expected):
    events = [(0, day) for day, size in enumerate(sizes) for _ in range(size)]
    labels = temporal_split(events_of(events, validation, test, together=True))
    assert tuple((labels == split).sum() for split in (TRAIN, VALIDATION, TEST)) == expected
