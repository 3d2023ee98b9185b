"""Items to leave out, a list for each row of a request."""

from collections.abc import Sequence

import numpy as np

from twotower.common.arrays import Int64Array
from twotower.data.interactions import ItemLists


def item_lists(rows: Sequence[Int64Array]) -> ItemLists:
    """The lists `rows`, each distinct and ascending."""
    offsets = np.cumsum([0, *map(len, rows)])
    return ItemLists(offsets, np.concatenate([np.empty(0, np.int64), *rows]))


def lists_of_users(lists: ItemLists, users: Int64Array) -> ItemLists:
    """The lists of `users`; an unknown one (-1) has an empty list."""
    known = users >= 0
    chosen = lists.select(users[known])
    counts = np.zeros(len(users), np.int64)
    counts[known] = chosen.counts
    return ItemLists(np.concatenate([[0], np.cumsum(counts)]), chosen.items)
