"""The same list for everyone: the items with the most interactions, recent ones weighing more."""

import numpy as np
import torch
from torch import Tensor

from twotower.common.arrays import Int64Array
from twotower.common.units import DAY
from twotower.data.interactions import Interactions


class RecencyPopularity:
    """Scores an item by its training rows, each worth half as much after every half-life.

    Ages are counted from the latest training row. Source: exponential forgetting, as in Vinagre
    et al., "Forgetting methods for incremental matrix factorization", SAC 2015.
    """

    def __init__(self, interactions: Interactions, num_items: int, *, half_life: float) -> None:
        """Sum the weights of each item's rows.

        Args:
            interactions: at least one row, with times.
            num_items: size of the catalogue.
            half_life: days, > 0.
        """
        age = (interactions.timestamp.max() - interactions.timestamp) / DAY
        totals = np.bincount(interactions.item_idx, np.exp2(-age / half_life), minlength=num_items)
        # Ranks, as after a thousand half-lives a weight underflows float32.
        _, ranks = np.unique(totals, return_inverse=True)
        self._ranks = torch.from_numpy(ranks.astype(np.float32))

    def scores(self, user_idx: Int64Array) -> Tensor:
        """[batch, num_items] float32, every row the same."""
        return self._ranks.repeat(len(user_idx), 1)
