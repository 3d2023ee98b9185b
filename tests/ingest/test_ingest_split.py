from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twotower.ingest.split import TEST, TRAIN, VALIDATION, leave_last_out, temporal_split

FRACTIONS = st.sampled_from([0.0, 0.1, 0.2, 0.29, 1 / 3, 0.5, 0.9, 0.999])
EVENTS = st.lists(st.tuples(st.integers(0, 4), st.integers(-2, 2)), max_size=60)


def arrays(events: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    users = np.array([user for user, _ in events], dtype=np.int64)
    return users, np.array([time for _, time in events], dtype=np.int64)


def naive_temporal(events: list[tuple[int, int]], validation: float, test: float) -> list[int]:
    labels = [TRAIN] * len(events)
    for user in {user for user, _ in events}:
        rows = sorted(
            (row for row, event in enumerate(events) if event[0] == user),
            key=lambda row: (events[row][1], row),
        )
        left = list(rows)
        for label, fraction in ((TEST, test), (VALIDATION, validation)):
            share = max(1, len(rows) * Fraction(repr(fraction)) // 1) if fraction else 0
            for _ in range(share):
                if len(left) > 1:
                    labels[left.pop()] = label
    return labels


@given(EVENTS, FRACTIONS, FRACTIONS)
def test_temporal_equals_the_rule_applied_event_by_event(events, validation, test):
    labels = temporal_split(*arrays(events), validation, test)
    assert labels.tolist() == naive_temporal(events, validation, test)


@given(EVENTS, FRACTIONS, FRACTIONS)
def test_temporal_keeps_a_training_event_and_the_order_of_time(events, validation, test):
    users, times = arrays(events)
    labels = temporal_split(users, times, validation, test)
    assert len(labels) == len(events)
    assert set(labels.tolist()) <= {TRAIN, VALIDATION, TEST}
    for user in np.unique(users):
        own = users == user
        assert (labels[own] == TRAIN).any()
        order = np.argsort(times[own], kind="stable")
        assert (np.diff(labels[own][order]) >= 0).all()


@given(EVENTS, FRACTIONS, FRACTIONS, st.randoms(use_true_random=False))
def test_other_users_and_their_order_change_nothing(events, validation, test, random):
    mine = [event for event in events if event[0] == 0]
    others = [event for event in events if event[0] != 0]
    random.shuffle(others)
    mixed = list(mine)
    for other in others:
        mixed.insert(random.randint(0, len(mixed)), other)
    users, times = arrays(mixed)
    together = temporal_split(users, times, validation, test)[users == 0]
    assert together.tolist() == temporal_split(*arrays(mine), validation, test).tolist()


@given(EVENTS, st.booleans(), st.booleans())
def test_leave_last_out_takes_at_most_one_event_a_split(events, validation, test):
    users, times = arrays(events)
    labels = leave_last_out(users, times, validation=validation, test=test)
    for user, count in zip(*np.unique(users, return_counts=True), strict=True):
        own = labels[users == user]
        num_test = int(test and count > 1)
        num_validation = int(validation and count > 1 + num_test)
        assert (own == TEST).sum() == num_test
        assert (own == VALIDATION).sum() == num_validation
        latest = np.argsort(times[users == user], kind="stable")
        expected = [TRAIN] * (count - num_test - num_validation)
        expected += [VALIDATION] * num_validation + [TEST] * num_test
        assert own[latest].tolist() == expected


@pytest.mark.parametrize(
    ("count", "validation", "test", "expected"),
    [
        (10, 0.2, 0.1, (7, 2, 1)),
        (100, 0.29, 0.0, (71, 29, 0)),  # 100 * 0.29 is 28.999999999999996 in floats
        (100, 0.0, 0.57, (43, 0, 57)),  # 100 * 0.57 is 56.99999999999999
        (1, 0.2, 0.1, (1, 0, 0)),
        (2, 0.2, 0.1, (1, 0, 1)),  # test is cut first
        (3, 0.2, 0.1, (1, 1, 1)),
        (10, 0.9, 0.9, (1, 0, 9)),
        (5, 0.0, 0.0, (5, 0, 0)),
    ],
)
def test_temporal_counts_by_hand(count, validation, test, expected):
    users, times = np.zeros(count, dtype=np.int64), np.arange(count)
    labels = temporal_split(users, times, validation, test)
    assert tuple((labels == split).sum() for split in (TRAIN, VALIDATION, TEST)) == expected


def test_ties_are_in_the_order_of_the_file():
    labels = temporal_split(np.zeros(4, dtype=np.int64), np.array([5, 5, 5, 1]), 0.25, 0.25)
    assert labels.tolist() == [TRAIN, VALIDATION, TEST, TRAIN]


def test_no_events_give_no_labels():
    nothing = np.array([], dtype=np.int64)
    assert temporal_split(nothing, nothing, 0.2, 0.1).tolist() == []
    assert leave_last_out(nothing, nothing, validation=True, test=True).tolist() == []
