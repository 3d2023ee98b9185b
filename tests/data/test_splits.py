from dataclasses import replace
from fractions import Fraction
from itertools import groupby

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import REPOSITORY
from tests.data.split_inputs import EVENTS, FRACTIONS, TOGETHER, events_of, moments_of
from twotower.common.errors import DataError
from twotower.common.seeds import derive_seed
from twotower.data.split_input import SplitInput
from twotower.data.splits import (
    SPLIT_STRATEGIES,
    TEST,
    TEST_HISTORY,
    TRAIN,
    UNSPLIT,
    VALIDATION,
    VALIDATION_HISTORY,
    cutoff_split,
    held_out_items,
    leave_last_out,
    random_split,
    temporal_split,
    users_split,
)


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


def naive_temporal(
    events: list[tuple[int, int]], validation: float, test: float, *, together: bool
) -> list[int]:
    labels = [TRAIN] * len(events)
    for user in {user for user, _ in events}:
        rows = sorted(
            (row for row, event in enumerate(events) if event[0] == user),
            key=lambda row: (events[row][1], row),
        )
        key = (lambda row: events[row][1]) if together else None
        left = [list(unit) for _, unit in groupby(rows, key)]
        for label, fraction in ((TEST, test), (VALIDATION, validation)):
            share = max(1, len(rows) * Fraction(repr(fraction)) // 1) if fraction else 0
            taken = 0
            while taken < share and len(left) > 1:
                unit = left.pop()
                taken += len(unit)
                for row in unit:
                    labels[row] = label
    return labels


@given(EVENTS, FRACTIONS, FRACTIONS, TOGETHER)
def test_temporal_equals_the_rule_applied_unit_by_unit(events, validation, test, together):
    labels = temporal_split(events_of(events, validation, test, together=together))
    assert labels.tolist() == naive_temporal(events, validation, test, together=together)


@given(EVENTS, FRACTIONS, FRACTIONS, TOGETHER)
def test_temporal_keeps_a_training_event_and_the_order_of_time(events, validation, test, together):
    given = events_of(events, validation, test, together=together)
    users, times, labels = given.users, given.timestamps, temporal_split(given)
    assert len(labels) == len(events)
    assert set(labels.tolist()) <= {TRAIN, VALIDATION, TEST}
    for user in np.unique(users):
        own = users == user
        assert (labels[own] == TRAIN).any()
        order = np.argsort(times[own], kind="stable")
        assert (np.diff(labels[own][order]) >= 0).all()


@given(EVENTS, FRACTIONS, FRACTIONS, TOGETHER, st.randoms(use_true_random=False))
def test_other_users_and_their_order_change_nothing(events, validation, test, together, random):
    mine = [event for event in events if event[0] == 0]
    others = [event for event in events if event[0] != 0]
    random.shuffle(others)
    mixed = list(mine)
    for other in others:
        mixed.insert(random.randint(0, len(mixed)), other)
    given = events_of(mixed, validation, test, together=together)
    alone = events_of(mine, validation, test, together=together)
    assert temporal_split(given)[given.users == 0].tolist() == temporal_split(alone).tolist()


@given(EVENTS, FRACTIONS, FRACTIONS)
def test_leave_last_out_takes_at_most_one_event_a_split(events, validation, test):
    given = events_of(events, validation, test)
    users, times, labels = given.users, given.timestamps, leave_last_out(given)
    for user, count in zip(*np.unique(users, return_counts=True), strict=True):
        own = labels[users == user]
        num_test = int(test > 0 and count > 1)
        num_validation = int(validation > 0 and count > 1 + num_test)
        assert (own == TEST).sum() == num_test
        assert (own == VALIDATION).sum() == num_validation
        latest = np.argsort(times[users == user], kind="stable")
        expected = [TRAIN] * (count - num_test - num_validation)
        expected += [VALIDATION] * num_validation + [TEST] * num_test
        assert own[latest].tolist() == expected


@given(EVENTS, FRACTIONS, FRACTIONS)
def test_random_counts_are_those_of_temporal(events, validation, test):
    given = events_of(events, validation, test)
    at_random, by_time = random_split(given), temporal_split(given)
    assert len(at_random) == len(events)
    for user in np.unique(given.users):
        own = given.users == user
        assert sorted(at_random[own]) == sorted(by_time[own])


@given(EVENTS, FRACTIONS, FRACTIONS, TOGETHER)
def test_random_does_not_depend_on_other_users(events, validation, test, together):
    given = events_of(events, validation, test, together=together)
    of_all = random_split(given)
    for user in np.unique(given.users).tolist():
        own = given.users == user
        mine = replace(
            moments_of(given.timestamps[own].tolist(), validation, test),
            user_ids=lambda user=user: [user],
            together=together,
        )
        assert random_split(mine).tolist() == of_all[own].tolist()


def test_random_holds_out_every_place_equally_often():
    num_users, count = 4000, 10
    events = [(user, 0) for user in range(num_users) for _ in range(count)]
    labels = random_split(events_of(events, 0.2, 0.1))
    for label, share in ((TEST, 0.1), (VALIDATION, 0.2)):
        often = (labels.reshape(num_users, count) == label).mean(axis=0)
        # Four standard deviations of a share of 4000.
        np.testing.assert_allclose(often, share, atol=4 * (share * (1 - share) / num_users) ** 0.5)


@given(st.lists(st.integers(-4, 4), max_size=40), FRACTIONS, FRACTIONS)
def test_cutoff_equals_the_rule_applied_moment_by_moment(times, validation, test):
    expected = naive_cutoff(times, validation, test)
    moments = moments_of(times, validation, test)
    if expected is None:
        with pytest.raises(DataError, match="different event times"):
            cutoff_split(moments)
    else:
        assert cutoff_split(moments).tolist() == expected


@given(st.lists(st.integers(0, 9), min_size=3, max_size=60), FRACTIONS, FRACTIONS)
def test_cutoff_never_trains_on_what_is_later_than_a_held_out_event(times, validation, test):
    moments = np.array([*times, -1, 10, 11], dtype=np.int64)
    labels = cutoff_split(moments_of(moments, validation, test))
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
    labels = cutoff_split(moments_of(times, validation, test))
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
    labels = temporal_split(moments_of(range(count), validation, test))
    assert tuple((labels == split).sum() for split in (TRAIN, VALIDATION, TEST)) == expected


def test_ties_are_in_the_order_of_the_file():
    labels = temporal_split(moments_of([5, 5, 5, 1], 0.25, 0.25))
    assert labels.tolist() == [TRAIN, VALIDATION, TEST, TRAIN]


@pytest.mark.parametrize("name", ["temporal", "random", "leave_last_out", "given"])
def test_no_events_give_no_labels(name):
    assert SPLIT_STRATEGIES[name].label(events_of([], 0.2, 0.1)).tolist() == []


def test_given_labels_stay():
    labels = np.array([TEST, TRAIN, VALIDATION], dtype=np.int8)
    events = replace(moments_of([1, 2, 3], 0.2, 0.1), given=labels)
    assert SPLIT_STRATEGIES["given"].label(events).tolist() == labels.tolist()


def test_a_user_who_is_held_out_is_held_out_whole():
    times = np.random.default_rng(0).integers(0, 50, 300)
    events = events_of([(row % 30, int(time)) for row, time in enumerate(times)], 0.3, 0.2)
    labels = users_split(events)
    sets = {frozenset(labels[events.users == user].tolist()) for user in range(30)}
    held_out = {(VALIDATION, VALIDATION_HISTORY), (TEST, TEST_HISTORY)}
    assert sets == {frozenset({TRAIN}), *map(frozenset, held_out)}
    for find, known in held_out:
        for user in set(events.users[labels == find].tolist()):
            latest = events.timestamps[(events.users == user) & (labels == known)].max()
            later = events.timestamps[(events.users == user) & (labels == find)]
            assert len(later) == 2  # of 10: those from 0.8 on
            assert later.min() >= latest


@pytest.mark.parametrize(
    ("count", "fold_in", "known"), [(2, 0.1, 1), (2, 0.99, 1), (10, 0.29, 2), (100, 0.29, 29)]
)
def test_each_side_of_a_held_out_user_has_an_event(count, fold_in, known):
    events = events_of([(row % 2, row) for row in range(2 * count)], 0, 0.5)
    labels = users_split(replace(events, fold_in=fold_in))
    assert (labels == TEST_HISTORY).sum() == known
    assert (labels == TEST).sum() == count - known


def test_what_is_folded_in_may_be_any_events():
    events = events_of([(user, time) for time in range(40) for user in range(5)], 0.2, 0.2)
    earliest, random = (users_split(replace(events, fold_in_by=by)) for by in ("time", "random"))
    assert np.bincount(earliest).tolist() == np.bincount(random).tolist()
    known = earliest == TEST_HISTORY
    assert events.timestamps[known].max() == 31
    assert events.timestamps[random == TEST_HISTORY].max() > 31


@pytest.mark.parametrize("by", ["time", "random"])
def test_baskets_of_held_out_users_are_not_parted(by):
    baskets = [(user, time // 3) for time in range(15) for user in range(6)]
    events = replace(events_of(baskets, 0.3, 0.3, together=True), fold_in_by=by)
    labels = users_split(events)
    assert TEST in labels
    for basket in set(baskets):
        assert (
            len({int(label) for label, of in zip(labels, baskets, strict=True) if of == basket})
            == 1
        )
    one = [(user, 0) for _ in range(4) for user in range(6)]
    with pytest.raises(DataError, match=r"but 0 have two events, or with split\.ties: together"):
        users_split(events_of(one, 0.3, 0.3, together=True))


def test_from_frame():
    frame = pd.DataFrame({"user_id": ["b", "a", "b"], "timestamp": [3, 1, 2], "split": UNSPLIT})
    events = SplitInput.from_frame(frame, validation=0.2, test=0.1, seed=5)
    assert (events.users.tolist(), events.user_ids()) == ([0, 1, 0], ["b", "a"])
    assert (events.timestamps.tolist(), events.given.tolist()) == ([3, 1, 2], [UNSPLIT] * 3)
    assert events.user_seeds.tolist() == [derive_seed(5, "split", user) for user in ("b", "a")]


def test_the_documents_list_the_strategies():
    document = (REPOSITORY / "docs" / "data.md").read_text(encoding="utf-8")
    table = document.partition("| strategy | what | when |\n|---|---|---|\n")[2].partition("\n\n")[
        0
    ]
    cells = [row.split("|") for row in table.splitlines()]
    listed = [(name.split("`")[1], summary.strip()) for _, name, summary, *_ in cells]
    assert listed == [(row.name, row.summary) for row in SPLIT_STRATEGIES.values()]


def test_held_out_items_are_disjoint_and_known_by_id_and_seed() -> None:
    items = [*range(2000), *(f"item {number}" for number in range(2000))]
    labels = held_out_items(items, 0.1, 42, validation=True, test=True)
    assert 320 < (labels == TEST).sum() < 480
    assert 320 < (labels == VALIDATION).sum() < 480
    some = held_out_items(items[::-7], 0.1, 42, validation=True, test=True)
    assert some.tolist() == labels[::-7].tolist()
    assert held_out_items(items, 0.1, 43, validation=True, test=True).tolist() != labels.tolist()


def test_which_items_are_held_out_for_one_split_does_not_depend_on_the_other() -> None:
    both = held_out_items(range(1000), 0.2, 1, validation=True, test=True)
    only_test = held_out_items(range(1000), 0.2, 1, validation=False, test=True)
    only_validation = held_out_items(range(1000), 0.2, 1, validation=True, test=False)
    assert only_test.tolist() == np.where(both == TEST, TEST, UNSPLIT).tolist()
    assert only_validation.tolist() == np.where(both == VALIDATION, VALIDATION, UNSPLIT).tolist()
