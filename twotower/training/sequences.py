"""What users have interacted with, as sequences, and the windows of them that training reads."""

from dataclasses import dataclass

import numpy as np

from twotower.common.arrays import Float32Array, Int64Array
from twotower.data.interactions import Interactions, ItemLists


@dataclass(frozen=True)
class Sequences:
    """Distinct items of each user, in the order of their last events.

    Attributes:
        lists: items of each user, the latest last.
        weight: [total] float32 sum of the weights of the pair's rows.
    """

    lists: ItemLists
    weight: Float32Array

    @classmethod
    def of(cls, interactions: Interactions, num_users: int, num_items: int) -> "Sequences":
        """Order the pairs of training rows; of rows of the same second, a later row is later.

        Args:
            interactions: all within the catalogue.
            num_users: size of the catalogue.
            num_items: likewise.
        """
        lists, pair_of_row = interactions.distinct_pairs(num_users, num_items)
        place = np.empty(len(interactions), np.int64)
        by_time = np.lexsort((interactions.timestamp, interactions.user_idx))
        place[by_time] = np.arange(len(place))
        last = np.zeros(len(lists.items), np.int64)
        np.maximum.at(last, pair_of_row, place)
        order = np.argsort(last)  # places of a user's rows follow those of the users before
        weight = np.bincount(pair_of_row, interactions.weight, len(order)).astype(np.float32)
        return cls(ItemLists(lists.offsets, lists.items[order]), weight[order])

    def latest(self, length: int) -> "Sequences":
        """The last `length` items of each user."""
        kept = np.minimum(self.lists.counts, length)
        offsets = np.concatenate([[0], np.cumsum(kept)])
        shift = np.repeat(self.lists.offsets[1:] - offsets[1:], kept)
        positions = np.arange(offsets[-1]) + shift
        return Sequences(ItemLists(offsets, self.lists.items[positions]), self.weight[positions])


@dataclass(frozen=True)
class Windows:
    """Parts of sequences; each item of a sequence is counted in exactly one of its windows.

    A window's items are both inputs, all but the last, and targets. The items before `counted` are
    context: half a window, where a sequence is longer than one.

    Attributes:
        user: [num_windows] int64.
        start: [num_windows] int64 position of the first item among all sequences' items.
        counted: [num_windows] int64 position of the first target that is counted.
        stop: [num_windows] int64 position after the last item.
    """

    user: Int64Array
    start: Int64Array
    counted: Int64Array
    stop: Int64Array

    @classmethod
    def of(cls, lists: ItemLists, length: int) -> "Windows":
        """Cut sequences into windows of at most `length` inputs, from their ends backwards."""
        users = np.flatnonzero(lists.counts)
        begin, stop = lists.offsets[users], lists.offsets[users + 1]
        parts: list[tuple[Int64Array, ...]] = []
        while len(users):
            start = np.maximum(begin, stop - 1 - length)
            counted = np.where(start > begin, start + (length + 1) // 2, start)
            parts.append((users, start, counted, stop))
            more = start > begin
            users, begin, stop = users[more], begin[more], counted[more]
        columns = zip(*parts, strict=True) if parts else ([np.empty(0, np.int64)],) * 4
        return cls(*(np.concatenate(list(column)) for column in columns))
