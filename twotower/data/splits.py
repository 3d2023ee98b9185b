"""Which event goes to which split: the strategies, as pure functions on arrays."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from twotower.common.arrays import BoolArray, Int8Array, Int64Array, IntArray
from twotower.common.choices import Table
from twotower.common.errors import DataError
from twotower.common.seeds import derive_seed
from twotower.common.sorted_keys import distinct_counts
from twotower.data.held_out_users import held_out_users
from twotower.data.split_input import SplitInput

TRAIN, VALIDATION, TEST = 0, 1, 2
"""Positions in twotower.data.prepared.SPLITS."""
VALIDATION_HISTORY, TEST_HISTORY = 3, 4
"""Positions in twotower.data.prepared.PARTS: what is known of users who are held out whole."""
UNSPLIT = -1
"""Label of an event to which the data gives no split."""
GIVEN_NAMES = {
    "train": TRAIN,
    "validation": VALIDATION,
    "valid": VALIDATION,
    "val": VALIDATION,
    "test": TEST,
}
"""How a column may name the splits, ignoring case."""


@dataclass(frozen=True)
class SplitStrategy:
    """A way to choose the events that are held out.

    Attributes:
        name: its value of `split.strategy`.
        summary: what it holds out, in a few words; docs/data.md shows it.
        label: gives each row TRAIN, VALIDATION or TEST, or of a user who is held out whole
            VALIDATION_HISTORY or TEST_HISTORY: [num_rows] int8.
        needs_times: whether it needs the time of each event, not just their order.
        is_given: whether the labels come with the data, from `split.files` or `split.column`.
        can_hold_out_items: whether whole items may be held out besides (`split.cold_items`).
    """

    name: str
    summary: str
    label: Callable[[SplitInput], Int8Array]
    needs_times: bool = False
    is_given: bool = False
    can_hold_out_items: bool = True


def temporal_split(events: SplitInput) -> Int8Array:
    """Hold out each user's latest events: the last ones as test, those before as validation.

    Each takes max(1, floor(n · fraction)) of the user's n events while at least one training
    event remains; a fraction of 0 takes none. The arithmetic is exact: 0.29 of 100 is 29.

    Together, each takes the user's latest baskets until it has at least as many events, while at
    least one training basket remains: a user with one basket has nothing held out.
    """
    return _cut_tails(events, events.later, *_shares_of_users(events))


def leave_last_out(events: SplitInput) -> Int8Array:
    """Hold out each user's last event as test and the one before as validation.

    A training event remains for every user: a user with one event has none held out, and a user
    with two has no validation event if one is held out as test. A share of 0 takes none. Together,
    the same holds of baskets.
    """
    one = np.ones_like(events.counts)
    num_validation, num_test = one * (events.validation > 0), one * (events.test > 0)
    return _cut_tails(events, events.later, num_validation, num_test)


def random_split(events: SplitInput) -> Int8Array:
    """Hold out events of each user at random.

    It holds out as many of each user as `temporal_split`, so that every user with two events can
    be scored, and only the choice of events differs. The choice depends on the user's seed and
    number of events alone: new data of other users does not change it. Together, it takes baskets
    at random until it has at least as many events, while at least one training basket remains.
    """
    return _cut_tails(events, events.later_at_random, *_shares_of_users(events))


def cutoff_split(events: SplitInput) -> Int8Array:
    """Hold out the latest events of all users: the last ones as test, those before as validation.

    Each of the two splits takes all events from one moment to another, so that events of the same
    moment stay together, on the later side of the cut. It begins at the latest moment that gives
    it at least max(1, floor(n · fraction)) of all n events, but never so early that a split before
    it would be empty; a fraction of 0 takes none. The arithmetic is exact.

    Raises:
        DataError: if there are fewer distinct moments than splits.
    """
    moments, counts = distinct_counts(events.timestamps)
    num_splits = 1 + int(events.validation > 0) + int(events.test > 0)
    if len(moments) < num_splits:
        msg = (
            f"split.strategy: cutoff needs at least {num_splits} different event times for "
            f"{num_splits} splits, got {len(moments)}"
        )
        raise DataError(msg)
    rows_from = np.append(np.cumsum(counts[::-1])[::-1], 0)
    total = np.array([len(events.timestamps)])

    def start(end: int, fraction: float, lowest: int) -> int:
        target = rows_from[end] + _shares(total, fraction)[0]
        return max(lowest, int((rows_from >= target).sum()) - 1)

    test_start = start(len(moments), events.test, num_splits - 1 if events.test else 0)
    validation_start = start(test_start, events.validation, 1 if events.validation else 0)
    starts = np.append(moments, np.iinfo(np.int64).max)  # of a split without rows, never
    labels: Int8Array = (events.timestamps >= starts[validation_start]).astype(np.int8)
    labels[events.timestamps >= starts[test_start]] = TEST
    return labels


def users_split(events: SplitInput) -> Int8Array:
    """Hold out whole users: no event of theirs is trained on.

    Which ones is settled by each user's seed alone (`held_out_users`), so that new data moves
    nobody from one split to another. Of a held-out user's n events, max(1, floor(n · fold_in)) are
    the history, and the others, at least one, are to be found.

    Raises:
        DataError: if too few users have two events.

    Source: Liang et al., "Variational autoencoders for collaborative filtering", WWW 2018, who
    fold in 80 % at random.
    """
    later = events.later if events.fold_in_by == "time" else events.later_at_random
    eligible = _most(events, later) > 0
    roles = held_out_users(events.user_seeds, eligible, events.validation, events.test)
    to_find = np.maximum(1, events.counts - _shares(events.counts, events.fold_in))
    labels = _cut_tails(events, later, to_find * (roles == VALIDATION), to_find * (roles == TEST))
    known, role = labels == TRAIN, roles[events.users]
    labels[known & (role == VALIDATION)] = VALIDATION_HISTORY
    labels[known & (role == TEST)] = TEST_HISTORY
    return labels


def given_split(events: SplitInput) -> Int8Array:
    """The split that came with the data."""
    return events.given


SPLIT_STRATEGIES = Table(
    "split.strategy",
    SplitStrategy("temporal", "the latest share of each user's events", temporal_split),
    SplitStrategy(
        "cutoff",
        "the latest share of all events, from one moment on",
        cutoff_split,
        needs_times=True,
    ),
    SplitStrategy("random", "the same share of each user's events, at random", random_split),
    SplitStrategy("leave_last_out", "each user's last event", leave_last_out),
    SplitStrategy(
        "users",
        "whole users, who are known by the events that come first",
        users_split,
        can_hold_out_items=False,
    ),
    SplitStrategy(
        "given", "files, or a column", given_split, is_given=True, can_hold_out_items=False
    ),
)


def held_out_items(
    item_ids: Sequence[Any], share: float, seed: int, *, validation: bool, test: bool
) -> Int8Array:
    """[num_items] TEST or VALIDATION for items that are held out whole, else UNSPLIT.

    Which items are held out depends only on their ids and the seed, and which for test does not
    depend on whether there is a validation split.

    Args:
        item_ids: integer or text ids.
        share: of the items to hold out for each of the two splits, in [0, 0.5).
        seed: of params.yaml.
        validation: whether there is such a split.
        test: likewise.
    """
    draws = np.array([derive_seed(seed, "cold_items", item) for item in item_ids]) / 2**32
    labels = np.full(len(draws), UNSPLIT, dtype=np.int8)
    if test:
        labels[draws < share] = TEST
    if validation:
        labels[(draws >= share) & (draws < 2 * share)] = VALIDATION
    return labels


def _shares(counts: Int64Array, fraction: float) -> Int64Array:
    """[len(counts)] int64: max(1, floor(count · fraction)), or 0 for a fraction of 0."""
    if fraction == 0:
        return np.zeros_like(counts)
    exact = Fraction(repr(fraction))
    distinct, inverse = np.unique(counts, return_inverse=True)
    shares = [max(1, count * exact.numerator // exact.denominator) for count in distinct.tolist()]
    return np.array(shares, dtype=np.int64)[inverse]


def _shares_of_users(events: SplitInput) -> tuple[Int64Array, Int64Array]:
    """[num_users] number of events to hold out as validation, and as test."""
    return _shares(events.counts, events.validation), _shares(events.counts, events.test)


def _cut_tails(
    events: SplitInput, later: IntArray, num_validation: Int64Array, num_test: Int64Array
) -> Int8Array:
    """Hold out the end of each user's rows; rows with the same number of later ones stay together.

    Test takes rows until it has `num_test` of the user, then validation likewise, as long as
    earlier rows remain for training.
    """
    users, num_users = events.users, len(events.counts)

    def below(limits: IntArray) -> BoolArray:
        return np.asarray(later < limits.astype(later.dtype)[users])

    may_go = below(_most(events, later))
    test = may_go & below(num_test)
    taken = np.bincount(users[test], minlength=num_users)
    labels = (may_go & below(taken + num_validation)).astype(np.int8)
    labels[test] = TEST
    return labels


def _most(events: SplitInput, later: IntArray) -> IntArray:
    """[num_users] the largest number of later rows of any row of each user."""
    most = np.zeros(len(events.counts), dtype=later.dtype)
    np.maximum.at(most, events.users, later)
    return most
