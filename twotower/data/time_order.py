"""The order of each user's rows in time."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twotower.common.arrays import Int64Array


def time_order(users: Int64Array, timestamps: NDArray[Any]) -> Int64Array:
    """[num_rows] row numbers by user, then time, then row number."""
    return np.lexsort((timestamps, users)).astype(np.int64)


def later_rows(users: Int64Array, timestamps: Int64Array) -> Int64Array:
    """[num_rows] number of the same user's rows of a later moment.

    Args:
        users: [num_rows] int64 code of each row's user, from 0.
        timestamps: [num_rows] int64, in any unit that orders moments.
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
