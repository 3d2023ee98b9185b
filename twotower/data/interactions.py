"""Encoded interactions, and who has seen what."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from twotower.common.arrays import Float32Array, Int64Array


@dataclass(frozen=True)
class ItemLists:
    """Distinct items of each user, in compressed sparse rows.

    Attributes:
        offsets: [num_users + 1] int64.
        items: [total] int64; those of user u are items[offsets[u]:offsets[u + 1]], ascending.
    """

    offsets: Int64Array
    items: Int64Array

    @cached_property
    def counts(self) -> Int64Array:
        """[num_users] number of distinct items of each user."""
        return np.diff(self.offsets)

    def rows(self, start: int, stop: int) -> tuple[Int64Array, Int64Array]:
        """(user - start, item) of every pair of users start..stop-1."""
        low, high = self.offsets[start], self.offsets[stop]
        users = np.repeat(np.arange(stop - start), self.counts[start:stop])
        return users, self.items[low:high]

    def select(self, users: Int64Array) -> "ItemLists":
        """The lists of `users`, in that order."""
        counts = self.counts[users]
        offsets = np.concatenate([[0], np.cumsum(counts)])
        positions = np.arange(offsets[-1]) - np.repeat(offsets[:-1] - self.offsets[users], counts)
        return ItemLists(offsets, self.items[positions])


@dataclass(frozen=True)
class Interactions:
    """Rows of one split, as indices into the vocabularies.

    Attributes:
        user_idx: [num_rows] int64; -1 for a user that the vocabulary lacks.
        item_idx: [num_rows] int64; -1 for an item that the vocabulary lacks.
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
        """Distinct known items of each known user; rows with an index of -1 are left out."""
        known = (self.user_idx >= 0) & (self.item_idx >= 0)
        pairs = np.unique(self.user_idx[known] * num_items + self.item_idx[known])
        offsets = np.searchsorted(pairs, np.arange(num_users + 1) * num_items)
        return ItemLists(offsets, pairs % max(num_items, 1))

    def later_rows(self, num_users: int) -> Int64Array:
        """[num_rows] rows of the same user with a later second; all users must be known."""
        order = np.lexsort((self.timestamp, self.user_idx))
        users, seconds = self.user_idx[order], self.timestamp[order]
        # A group is what a user did within one second.
        begins = np.append(True, (np.diff(users) != 0) | (np.diff(seconds) != 0))[: len(order)]
        group_ends = np.append(np.flatnonzero(begins)[1:], len(order))
        user_ends = np.cumsum(np.bincount(users, minlength=num_users))
        later = np.empty(len(order), dtype=np.int64)
        later[order] = user_ends[users] - group_ends[np.cumsum(begins) - 1]
        return later


def concatenate(*parts: Interactions) -> Interactions:
    """The rows of all parts, in order."""
    return Interactions(
        user_idx=np.concatenate([part.user_idx for part in parts]),
        item_idx=np.concatenate([part.item_idx for part in parts]),
        weight=np.concatenate([part.weight for part in parts]),
        timestamp=np.concatenate([part.timestamp for part in parts]),
    )
