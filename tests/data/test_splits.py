from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twotower.common.errors import DataError
from twotower.data.splits import (
    TEST,
    TRAIN,
    VALIDATION,
    cutoff_split,
    leave_last_out,
    random_split,
    temporal_split,
)

FRACTIONS = st.sampled_from([0.0, 0.1, 0.2, 0.29, 1 / 3, 0.5, 0.9, 0.999])
EVENTS = st.lists(st.tuples(st.integers(0, 4), st.integers(-2, 2)), max_size=60)


def arrays(events: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    users = np.array([user for user, _ in events], dtype=np.int64)
    return users, np.array([time for _, time in events], dtype=np.int64)


def seeds_of(users: np.ndarray, seed: int = 0) -> np.ndarray:
    count = int(users.max()) + 1 if len(users) else 0
    return np.random.default_rng(seed).integers(0, 2**32, count, dtype=np.uint64)


def naive_cutoff(times: list[int], validation: float, test: float) -> list[int] | None:
    """Moments, latest first, go to test until it has enough, then to validation, then to train."""
    wanted = [
        (label, max(1, len(times) * Fraction(repr(fraction)) // 1))
        for label, fraction in ((TEST, test), (VALIDATION, validation))
        if fraction
    ]
    moments = sorted(set(times))
    if len(moments) < len(wanted) + 1:
        return None
    labels = dict.fromkeys(moments, TRAIN)
    for place, (label, share) in enumerate(wanted):
        taken = 0
        while taken < share and len(moments) > len(wanted) - place:
            moment = moments.pop()
            labels[moment] = label
            taken += times.count(moment)
    return [labels[time] for time in times]


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


@given(EVENTS, FRACTIONS, FRACTIONS)
def test_random_counts_are_those_of_temporal(events, validation, test):
    users, times = arrays(events)
    at_random = random_split(users, seeds_of(users), validation, test)
    by_time = temporal_split(users, times, validation, test)
    assert len(at_random) == len(events)
    for user in np.unique(users):
        assert sorted(at_random[users == user]) == sorted(by_time[users == user])


@given(EVENTS, FRACTIONS, FRACTIONS)
def test_random_does_not_depend_on_other_users(events, validation, test):
    users, _ = arrays(events)
    seeds = seeds_of(users)
    together = random_split(users, seeds, validation, test)
    for user in np.unique(users):
        own = users[users == user] * 0
        alone = random_split(own, seeds[[user]], validation, test)
        assert alone.tolist() == together[users == user].tolist()


def test_random_holds_out_every_place_equally_often():
    num_users, count = 4000, 10
    users = np.repeat(np.arange(num_users), count)
    labels = random_split(users, np.arange(num_users, dtype=np.uint64), 0.2, 0.1)
    for label, share in ((TEST, 0.1), (VALIDATION, 0.2)):
        often = (labels.reshape(num_users, count) == label).mean(axis=0)
        # Four standard deviations of a share of 4000.
        np.testing.assert_allclose(often, share, atol=4 * (share * (1 - share) / num_users) ** 0.5)


@given(st.lists(st.integers(-4, 4), max_size=40), FRACTIONS, FRACTIONS)
def test_cutoff_equals_the_rule_applied_moment_by_moment(times, validation, test):
    expected = naive_cutoff(times, validation, test)
    moments = np.array(times, dtype=np.int64)
    if expected is None:
        with pytest.raises(DataError, match="different times"):
            cutoff_split(moments, validation, test)
    else:
        assert cutoff_split(moments, validation, test).tolist() == expected


@given(st.lists(st.integers(0, 9), min_size=3, max_size=60), FRACTIONS, FRACTIONS)
def test_cutoff_never_trains_on_what_is_later_than_a_held_out_event(times, validation, test):
    moments = np.array([*times, -1, 10, 11], dtype=np.int64)
    labels = cutoff_split(moments, validation, test)
    assert len(labels) == len(moments)
    assert (np.diff(labels[np.argsort(moments)]) >= 0).all()
    for moment in np.unique(moments):
        assert len(set(labels[moments == moment].tolist())) == 1
    for label, fraction in ((VALIDATION, validation), (TEST, test)):
        assert (labels == label).any() == (fraction > 0)
    assert (labels == TRAIN).any()


@pytest.mark.parametrize(
    ("times", "validation", "test", "expected"),
    [
        (range(10), 0.2, 0.1, (7, 2, 1)),
        (range(100), 0.29, 0.0, (71, 29, 0)),
        (range(100), 0.0, 0.57, (43, 0, 57)),
        (range(100), 0.001, 0.001, (98, 1, 1)),
        ([0, 0, 0, 1, 1, 1, 2, 2, 2, 2], 0.2, 0.1, (3, 3, 4)),  # ties go to the later side
        ([0, 1, 2], 0.9, 0.9, (1, 1, 1)),  # but leave the earlier splits a moment each
        ([0, 0, 0], 0.0, 0.0, (3, 0, 0)),
    ],
)
def test_cutoff_counts_by_hand(times, validation, test, expected):
    labels = cutoff_split(np.array(times, dtype=np.int64), validation, test)
    assert tuple((labels == split).sum() for split in (TRAIN, VALIDATION, TEST)) == expected


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
