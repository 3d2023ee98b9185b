"""User histories as a sparse matrix, and the scorers that use them."""

from copy import copy
from typing import Self

import numpy as np
from scipy.sparse import csr_array

from twotower.baselines.plan import TrainingData
from twotower.data.interactions import Interactions


class HistoryScorer:
    """A scorer that is fitted to all histories and scores each user by their own."""

    _histories: csr_array

    def scoring(self, users: TrainingData, decay: float = 0.0) -> Self:
        """A copy that scores users by other histories than it was fitted to.

        Args:
            users: whose rows are the histories: those that it was fitted to, or others.
            decay: share of an item's weight that is lost with each later row of the user, in
                [0, 1); rows need times.
        """
        other = copy(self)
        other._histories = histories(users.interactions, users.num_users, users.num_items, decay)
        return other


def histories(
    interactions: Interactions, num_users: int, num_items: int, decay: float = 0.0
) -> csr_array:
    """[num_users, num_items] float32 weight of each item in each user's history; 0 if absent.

    An item weighs (1 - decay) ** n, with n the user's rows after the last one of the item. Repeats
    and event weights are ignored: metrics ask whether an item is relevant, not how often.

    Args:
        interactions: all within the catalogue.
        num_users: size of the catalogue.
        num_items: likewise.
        decay: in [0, 1).
    """
    if decay:
        lists, pair_of_row = interactions.distinct_pairs(num_users, num_items)
        weights = np.zeros(len(lists.items), dtype=np.float32)
        np.maximum.at(weights, pair_of_row, (1 - decay) ** interactions.later_rows())
    else:
        lists = interactions.distinct_items(num_users, num_items)
        weights = np.ones(len(lists.items), dtype=np.float32)
    return csr_array((weights, lists.items, lists.offsets), shape=(num_users, num_items))
