"""Encoded interactions, and the distinct items of each user."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np

from twotower.common.arrays import Float32Array, Int64Array
from twotower.common.sorted_keys import distinct
from twotower.data.time_order import later_rows


def pair_keys(users: Int64Array, items: Int64Array, num_items: int) -> Int64Array:
    """[num_pairs] int64 number of each (user, item) pair, ordered by user, then by item."""
    return users * num_items + items


@dataclass(frozen=True)
class ItemLists:
    """Distinct items of each user, in compressed sparse rows.

    Attributes:
        offsets: [num_users + 1] int64.
        items: [total] int64; those of user u are items[offsets[u]:offsets[u + 1]], ascending.
    """

    offsets: Int64Array
    items: Int64Array

    @classmethod
    def empty(cls, count: int) -> Self:
        """Lists of `count` users without items."""
        return cls(np.zeros(count + 1, np.int64), np.empty(0, np.int64))

    @classmethod
    def of(cls, lists: Sequence[Int64Array]) -> Self:
        """The given lists, each distinct and ascending."""
        offsets = np.cumsum([0, *map(len, lists)])
        return cls(offsets, np.concatenate([np.empty(0, np.int64), *lists]))

    @cached_property
    def counts(self) -> Int64Array:
        """[num_users] number of distinct items of each user."""
        return np.diff(self.offsets)

    def rows(self, start: int, stop: int) -> tuple[Int64Array, Int64Array]:
        """(user - start, item) of every pair of the users from `start` to `stop` - 1."""
        low, high = self.offsets[start], self.offsets[stop]
        users = np.repeat(np.arange(stop - start), self.counts[start:stop])
        return users, self.items[low:high]

    def keys(self, num_items: int) -> Int64Array:
        """[total] key of each pair, ascending; see `pair_keys`."""
        return pair_keys(*self.rows(0, len(self.counts)), num_items)

    def select(self, users: Int64Array) -> "ItemLists":
        """The lists of `users`, in that order; a user of index -1 has an empty list."""
        counts = np.zeros(len(users), np.int64)
        counts[users >= 0] = self.counts[users[users >= 0]]
        offsets = np.concatenate([[0], np.cumsum(counts)])
        positions = np.arange(offsets[-1]) - np.repeat(offsets[:-1] - self.offsets[users], counts)
        return ItemLists(offsets, self.items[positions])


@dataclass(frozen=True)
class Interactions:
    """Rows of one split, as indices into the vocabularies.

    Attributes:
        user_idx: [num_rows] int64; -1 for a user that is not in the vocabulary.
        item_idx: [num_rows] int64; -1 for an item that is not in the vocabulary.
        weight: [num_rows] float32, >= 0.
        timestamp: [num_rows] int64 seconds since 1970, UTC; all 0 where the data has no times.
    """

    user_idx: Int64Array
    item_idx: Int64Array
    weight: Float32Array
    timestamp: Int64Array

    def __len__(self) -> int:
        return len(self.user_idx)

    @property
    def has_times(self) -> bool:
        """Whether the rows differ in time; in data without times they do not."""
        return bool(len(self) and self.timestamp.min() < self.timestamp.max())

    def distinct_items(self, num_users: int, num_items: int) -> ItemLists:
        """Distinct items of each user; rows with an index of -1 are ignored."""
        valid = (self.user_idx >= 0) & (self.item_idx >= 0)
        keys = distinct(pair_keys(self.user_idx[valid], self.item_idx[valid], num_items))
        return _lists(keys, num_users, num_items)

    def distinct_pairs(self, num_users: int, num_items: int) -> tuple[ItemLists, Int64Array]:
        """Distinct items of each user, and [num_rows] int64 position of each row's pair in them.

        No index may be -1.
        """
        keys, pair_of_row = np.unique(
            pair_keys(self.user_idx, self.item_idx, num_items), return_inverse=True
        )
        return _lists(keys, num_users, num_items), pair_of_row.astype(np.int64)

    def later_rows(self) -> Int64Array:
        """[num_rows] number of the same user's rows of a later second; no user may be -1."""
        return later_rows(self.user_idx, self.timestamp)


def _lists(keys: Int64Array, num_users: int, num_items: int) -> ItemLists:
    """The pairs of these distinct keys, which are ascending."""
    offsets = np.searchsorted(keys, np.arange(num_users + 1) * num_items)
    return ItemLists(offsets, keys % max(num_items, 1))
