"""Who has interacted with what, as a sparse matrix, and what scores by it."""

from copy import copy
from typing import Self

import numpy as np
from scipy.sparse import csr_array

from twotower.data.interactions import Interactions


class HistoryScorer:
    """A scorer that is fitted to histories, and scores by the history of each user."""

    _histories: csr_array

    def decayed(self, interactions: Interactions, decay: float) -> Self:
        """The same, where what a user did last counts most; nothing is fitted again.

        Args:
            interactions: those that it was fitted to, with times.
            decay: share of an item's weight that each later row of the user takes, in [0, 1).
        """
        other = copy(self)
        num_users, num_items = self._histories.shape
        other._histories = histories(interactions, num_users, num_items, decay)
        return other


def histories(
    interactions: Interactions, num_users: int, num_items: int, decay: float = 0.0
) -> csr_array:
    """[num_users, num_items] float32: what an item weighs in the history of a user; 0 if absent.

    Repeats and weights count once: what is to be found is whether, not how often. An item weighs
    (1 - decay) ** n, n being the user's rows later than its last one.

    Args:
        interactions: all within the catalogue.
        num_users: size of the catalogue.
        num_items: likewise.
        decay: in [0, 1).
    """
    lists, pair_of_row = interactions.distinct_pairs(num_users, num_items)
    weights = np.ones(len(lists.items), dtype=np.float32)
    if decay:
        weights[:] = 0.0
        np.maximum.at(weights, pair_of_row, (1 - decay) ** interactions.later_rows(num_users))
    return csr_array((weights, lists.items, lists.offsets), shape=(num_users, num_items))
