"""Who has interacted with what, as a sparse matrix."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from twotower.data.interactions import Interactions

IntArray = NDArray[np.int64]


def histories(interactions: Interactions, num_users: int, num_items: int) -> csr_array:
    """[num_users, num_items] float32: 1 where a user has interacted with an item.

    Repeats and weights count once: what is to be found is whether, not how often.
    """
    lists = interactions.distinct_items(num_users, num_items)
    ones = np.ones(len(lists.items), dtype=np.float32)
    return csr_array((ones, lists.items, lists.offsets), shape=(num_users, num_items))
