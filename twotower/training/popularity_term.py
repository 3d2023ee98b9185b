"""The popularity term of a model's scores."""

import numpy as np

from twotower.common.arrays import Float32Array
from twotower.config.training import ModelConfig
from twotower.data.interactions import Interactions


def popularity_addend(
    interactions: Interactions, num_items: int, config: ModelConfig
) -> Float32Array | None:
    """What each item's popularity adds to its inner products.

    Args:
        interactions: the training rows.
        num_items: size of the catalogue.
        config: section `model`.

    Returns:
        [num_items] float32: the log of the item's total weight, less the mean over the items, times
        `popularity_weight`, in units of the inner product. An item without rows counts as the
        rarest item that has one. None if `popularity_weight` is 0.
    """
    if not config.popularity_weight:
        return None
    totals = np.bincount(interactions.item_idx, interactions.weight, num_items)
    positive = totals > 0
    logs = np.log(totals, out=np.zeros(num_items), where=positive)
    if positive.any():
        logs[~positive] = logs[positive].min()
    unit = config.temperature if config.similarity == "cosine" else 1.0
    return np.asarray(config.popularity_weight * unit * (logs - logs.mean()), dtype=np.float32)
