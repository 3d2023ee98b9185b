"""Rankings by what items are: they score an item that nobody has chosen yet."""

import numpy as np
import torch
from scipy.sparse import csr_array, diags_array
from torch import Tensor

from twotower.baselines.design_matrix import design_matrix
from twotower.baselines.histories import HistoryScorer, histories
from twotower.baselines.plan import TrainingData
from twotower.common.arrays import Float32Array, Int64Array
from twotower.data.categories import Categorical, MultiValued
from twotower.data.features import Features

GROUPED = (Categorical, MultiValued)
"""Kinds whose values are categories that items share."""


class ContentKNN(HistoryScorer):
    """Scores an item by the sum of its similarities to all items of the user's history.

    The similarity of two items is the cosine of their rows of the design matrix; that of an item
    without side features is 0.
    """

    def __init__(self, data: TrainingData) -> None:
        """Describe every item.

        Args:
            data: with side features of the items.
        """
        self._histories = histories(data.interactions, data.num_users, data.num_items)
        rows = design_matrix(data.item_features, data.num_items)
        lengths = np.sqrt(rows.multiply(rows).sum(axis=1))
        self._items = _scaled(rows, lengths)

    def scores(self, user_idx: Int64Array) -> Tensor:
        """[batch, num_items] float32."""
        profiles = self._histories[user_idx] @ self._items
        scores: Float32Array = (profiles @ self._items.T).toarray()
        return torch.from_numpy(scores.astype(np.float32, copy=False))


class CategoryPopularity(HistoryScorer):
    """Scores an item by the mean, over its categories, of overall + personal · own.

    Overall is the mean number of training rows of the category's items that have any, as a share of
    the largest such mean; own is the share of the user's items that have the category. Categories
    are those of all categorical and multi-valued features; an item without one scores 0.
    """

    def __init__(self, data: TrainingData, *, personal: float) -> None:
        """Count rows by category.

        Args:
            data: with a categorical or multi-valued feature of the items.
            personal: weight of the user's own share, >= 0.
        """
        self._histories = histories(data.interactions, data.num_users, data.num_items)
        columns = data.item_features.columns.items()
        grouped = Features({name: one for name, one in columns if isinstance(one, GROUPED)})
        self._has = design_matrix(grouped, data.num_items)
        self._has.data[:] = 1.0
        self._mean = _scaled(self._has, np.diff(self._has.indptr))
        counts = data.item_counts()
        rows, items = counts @ self._has, (counts > 0) @ self._has
        means = rows / np.maximum(items, 1)
        self._overall = (means / max(means.max(initial=0.0), 1.0)).astype(np.float32)
        self._personal = personal

    def scores(self, user_idx: Int64Array) -> Tensor:
        """[batch, num_items] float32."""
        chosen = self._histories[user_idx]
        own = _scaled(chosen @ self._has, chosen.sum(axis=1)).toarray()
        liked = self._overall + np.float32(self._personal) * own
        scores: Float32Array = np.ascontiguousarray((self._mean @ liked.T).T, dtype=np.float32)
        return torch.from_numpy(scores)


def _scaled(rows: csr_array, lengths: Float32Array | Int64Array) -> csr_array:
    """The rows divided by their lengths; one of length 0 stays."""
    inverse = np.divide(1.0, lengths, out=np.zeros(len(lengths)), where=lengths > 0)
    return (diags_array(inverse.astype(np.float32)) @ rows).tocsr()
