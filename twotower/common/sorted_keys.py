"""Sets of integers as sorted arrays: without being asked for the inverse, np.unique hashes them.

Of 10^6 large integers, that takes sixty times as long as a sort does.
"""

import numpy as np

from twotower.common.arrays import BoolArray, Int64Array


def distinct(keys: Int64Array) -> Int64Array:
    """[num_distinct] the different keys, ascending."""
    ordered = np.sort(keys)
    return ordered[_first_of_each(ordered)]


def distinct_counts(keys: Int64Array) -> tuple[Int64Array, Int64Array]:
    """[num_distinct] the different keys, ascending, and how often each occurs."""
    ordered = np.sort(keys)
    starts = np.flatnonzero(_first_of_each(ordered))
    return ordered[starts], np.diff(starts, append=len(ordered))


def contains(sorted_keys: Int64Array, keys: Int64Array) -> BoolArray:
    """[num_keys] whether each key is among the sorted ones.

    Args:
        sorted_keys: ascending and distinct.
        keys: in any order; the closer to ascending, the faster.
    """
    if not len(sorted_keys):
        return np.zeros(len(keys), dtype=bool)
    places = np.searchsorted(sorted_keys, keys)
    places[places == len(sorted_keys)] = 0
    return np.asarray(sorted_keys[places] == keys, dtype=bool)


def _first_of_each(ordered: Int64Array) -> BoolArray:
    first = np.ones(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=first[1:])
    return first
