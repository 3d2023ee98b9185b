"""The order of each user's rows in time."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twotower.common.arrays import Int64Array, IntArray

BLOCK_ROWS = 1 << 16
"""Rows that are sorted by time at once, unless one user has more: few enough for a cache, and for
user, time and position to fit into one key."""


def time_order(users: IntArray, timestamps: NDArray[Any]) -> Int64Array:
    """[num_rows] row numbers by user, then time, then row number.

    Args:
        users: [num_rows] code of each row's user, from 0.
        timestamps: [num_rows] integers or floats, in any unit that orders moments.
    """
    if is_ordered(users, timestamps):
        return np.arange(len(users))
    order = _by_user(users)
    for block in user_blocks(users[order], BLOCK_ROWS):
        rows = order[block]
        order[block] = rows[_order(users[rows], timestamps[rows])]
    return order


def is_ordered(users: IntArray, timestamps: NDArray[Any]) -> bool:
    """Whether rows are by user, then time, as they come."""
    if (users[1:] < users[:-1]).any():
        return False
    is_back = timestamps[1:] < timestamps[:-1]
    return not (is_back & (users[1:] == users[:-1])).any()


def user_blocks(users: IntArray, num_rows: int) -> Iterator[slice]:
    """Rows of whole users, about so many at a time.

    Args:
        users: [num_rows] code of each row's user, ascending.
        num_rows: of a block, unless one user has more.
    """
    start = 0
    while start < len(users):
        last = users[min(start + num_rows, len(users)) - 1]
        stop = int(np.searchsorted(users, last, "right"))
        yield slice(start, stop)
        start = stop


def later_rows(users: IntArray, timestamps: IntArray) -> Int64Array:
    """[num_rows] number of the same user's rows of a later moment.

    Args:
        users: [num_rows] code of each row's user, from 0.
        timestamps: [num_rows] in any unit that orders moments.
    """
    order = time_order(users, timestamps)
    ordered, moments = users[order], timestamps[order]
    # A group is what a user did in one moment.
    begins = np.append(True, (np.diff(ordered) != 0) | (np.diff(moments) != 0))[: len(order)]
    group_ends = np.append(np.flatnonzero(begins)[1:], len(order))
    user_ends = np.cumsum(np.bincount(users))
    later = np.empty(len(order), dtype=np.int64)
    later[order] = user_ends[ordered] - group_ends[np.cumsum(begins) - 1]
    return later


def _by_user(users: IntArray) -> Int64Array:
    """[num_rows] row numbers by user, then row number: keys of both are sorted, as that is fast."""
    num_bits = len(users).bit_length()
    keys: Int64Array = users.astype(np.int64) << num_bits
    keys |= np.arange(len(users))
    keys.sort()
    keys &= (1 << num_bits) - 1
    return keys


def _order(users: IntArray, timestamps: NDArray[Any]) -> Int64Array:
    """As `time_order`, of a few rows that are by user."""
    first, last = int(timestamps.min()), int(timestamps.max())
    bits = [int(size).bit_length() for size in (users[-1] - users[0], last - first, len(users))]
    if sum(bits) > 62 or not _whole(timestamps):
        return np.lexsort((timestamps, users)).astype(np.int64)
    keys: Int64Array = (users - users[0]).astype(np.int64) << bits[1]
    keys |= (timestamps - first).astype(np.int64)
    keys <<= bits[2]
    keys |= np.arange(len(users))
    keys.sort()
    keys &= (1 << bits[2]) - 1
    return keys


def _whole(numbers: NDArray[Any]) -> bool:
    return numbers.dtype.kind == "i" or bool((numbers % 1 == 0).all())
