"""Which event goes to which split: pure functions on arrays."""

from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twotower.common.arrays import Int8Array, Int64Array, UInt64Array
from twotower.common.errors import DataError
from twotower.common.hashing import splitmix64

TRAIN, VALIDATION, TEST = 0, 1, 2
"""Positions in twotower.data.prepared.SPLITS."""
GIVEN_NAMES = {
    "train": TRAIN,
    "validation": VALIDATION,
    "valid": VALIDATION,
    "val": VALIDATION,
    "test": TEST,
}
"""How a column may name the splits, without regard to case."""


def temporal_split(
    users: Int64Array, timestamps: Int64Array, validation: float, test: float
) -> Int8Array:
    """Hold out each user's latest events: the test events from the tail, validation before them.

    Each takes max(1, floor(n · fraction)) of the user's n events while at least one training
    event remains; a fraction of 0 takes none. The arithmetic is exact: 0.29 of 100 is 29.

    Args:
        users: [num_rows] int64 code of each row's user, from 0.
        timestamps: [num_rows] int64; equal times are in the order of the rows.
        validation: share of a user's events, in [0, 1).
        test: likewise.

    Returns:
        [num_rows] int8, TRAIN, VALIDATION or TEST.
    """
    counts = np.bincount(users).astype(np.int64)
    return _cut_tails(users, timestamps, _shares(counts, validation), _shares(counts, test))


def leave_last_out(
    users: Int64Array, timestamps: Int64Array, *, validation: bool, test: bool
) -> Int8Array:
    """Hold out each user's last event as test and the one before as validation.

    A training event remains for every user: one with a single event has no held-out one, and one
    with two has no validation event if test takes one.

    Args:
        users: [num_rows] int64 code of each row's user, from 0.
        timestamps: [num_rows] int64; equal times are in the order of the rows.
        validation: whether there is a validation split.
        test: whether there is a test split.

    Returns:
        [num_rows] int8, TRAIN, VALIDATION or TEST.
    """
    one = np.ones(len(np.bincount(users)), dtype=np.int64)
    return _cut_tails(users, timestamps, one * int(validation), one * int(test))


def random_split(
    users: Int64Array, user_seeds: UInt64Array, validation: float, test: float
) -> Int8Array:
    """Hold out events of each user at random.

    As many of each user as `temporal_split` does: every user with two events can be scored, and
    the two strategies differ in nothing but the choice of the events. The choice depends on the
    user's seed and number of events, not on the other users: it survives their new data.

    Args:
        users: [num_rows] int64 code of each row's user, from 0.
        user_seeds: [num_users] uint64 below 2**32, one a user.
        validation: share of a user's events, in [0, 1).
        test: likewise.

    Returns:
        [num_rows] int8, TRAIN, VALIDATION or TEST.
    """
    counts = np.bincount(users).astype(np.int64)
    order = np.argsort(users, kind="stable")
    place = np.empty(len(users), dtype=np.int64)
    place[order] = np.arange(len(users)) - np.repeat(np.cumsum(counts) - counts, counts)
    keys = (user_seeds[users] << np.uint64(32)) + place.astype(np.uint64)
    draws = splitmix64(keys).view(np.int64)
    return _cut_tails(users, draws, _shares(counts, validation), _shares(counts, test))


def cutoff_split(timestamps: Int64Array, validation: float, test: float) -> Int8Array:
    """Hold out the latest events of all: the test events, and validation before them.

    Each of the two begins at a moment and takes all events from there to its end, so that events
    of one moment stay together, on the later side of the cut. It begins at the latest moment that
    gives it at least max(1, floor(n · fraction)) of all n events, or earlier splits would have
    none; a fraction of 0 takes none. The arithmetic is exact.

    Args:
        timestamps: [num_rows] int64.
        validation: share of all events, in [0, 1).
        test: likewise.

    Returns:
        [num_rows] int8, TRAIN, VALIDATION or TEST.

    Raises:
        DataError: if there are fewer moments than splits.
    """
    moments, moment, counts = np.unique(timestamps, return_inverse=True, return_counts=True)
    num_splits = 1 + int(validation > 0) + int(test > 0)
    if len(moments) < num_splits:
        msg = (
            f"split.strategy: cutoff: {num_splits} splits need events at {num_splits} different "
            f"times, got {len(moments)}"
        )
        raise DataError(msg)
    rows_from = np.append(np.cumsum(counts[::-1])[::-1], 0)
    total = np.array([len(timestamps)])

    def start(end: int, fraction: float, lowest: int) -> int:
        wanted = rows_from[end] + _shares(total, fraction)[0]
        return max(lowest, int((rows_from >= wanted).sum()) - 1)

    test_start = start(len(moments), test, num_splits - 1 if test else 0)
    validation_start = start(test_start, validation, 1 if validation else 0)
    labels = (moment >= validation_start).astype(np.int8)
    labels[moment >= test_start] = TEST
    return labels


def time_order(users: Int64Array, timestamps: NDArray[Any]) -> Int64Array:
    """[num_rows] row numbers by user, then time, then row number."""
    return np.lexsort((timestamps, users)).astype(np.int64)


def _shares(counts: Int64Array, fraction: float) -> Int64Array:
    """[num_users] int64: max(1, floor(count · fraction)), or 0 for a fraction of 0."""
    if fraction == 0:
        return np.zeros_like(counts)
    exact = Fraction(repr(fraction))
    distinct, inverse = np.unique(counts, return_inverse=True)
    shares = [max(1, count * exact.numerator // exact.denominator) for count in distinct.tolist()]
    return np.array(shares, dtype=np.int64)[inverse]


def _cut_tails(
    users: Int64Array, timestamps: Int64Array, num_validation: Int64Array, num_test: Int64Array
) -> Int8Array:
    """Label rows by their place from the end of their user's events."""
    counts = np.bincount(users).astype(np.int64)
    num_test = np.minimum(num_test, np.maximum(counts - 1, 0))
    num_validation = np.minimum(num_validation, np.maximum(counts - num_test - 1, 0))
    order = time_order(users, timestamps)
    ordered = users[order]
    from_end = np.cumsum(counts)[ordered] - 1 - np.arange(len(users))
    held_out = np.where(from_end < (num_test + num_validation)[ordered], VALIDATION, TRAIN)
    labels = np.empty(len(users), dtype=np.int8)
    labels[order] = np.where(from_end < num_test[ordered], TEST, held_out)
    return labels
