"""The same list for everyone: the items with the most interactions."""

import numpy as np
import torch
from torch import Tensor

from twotower.common.arrays import Int64Array
from twotower.data.interactions import Interactions


class Popularity:
    """Scores an item by its number of training rows."""

    def __init__(self, interactions: Interactions, num_items: int) -> None:
        counts = np.bincount(interactions.item_idx, minlength=num_items).astype(np.float32)
        self._counts = torch.from_numpy(counts)

    def scores(self, user_idx: Int64Array) -> Tensor:
        """[batch, num_items] float32, every row the same."""
        return self._counts.repeat(len(user_idx), 1)
