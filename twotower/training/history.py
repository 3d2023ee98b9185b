"""What users have interacted with, as weights with which item vectors are pooled."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from twotower.common.arrays import Float32Array, Float64Array, Int64Array
from twotower.common.units import DAY
from twotower.config.training import ModelConfig
from twotower.data.interactions import Interactions, ItemLists


@dataclass(frozen=True)
class History:
    """Distinct (user, item) pairs of the training rows, with their weights.

    Attributes:
        lists: items of each user.
        weight: [num_pairs] float32 sum of the weights of a pair's rows ** weight_exponent.
        pooling: [num_pairs] float32 factor of the item's vector in the user's: weight · recency ·
            user's total ** -user_exponent · item's total ** -(item_exponent +
            popularity_exponent); it pools spectral item vectors to spectral user vectors.
        item_pooling: [num_items] float32 factor of each item in a history of weight 1.
        pair_of_row: [num_rows] int64 pair of each training row.
        num_items: size of the catalogue.
    """

    lists: ItemLists
    weight: Float32Array
    pooling: Float32Array
    item_pooling: Float32Array
    pair_of_row: Int64Array
    num_items: int

    @classmethod
    def of(
        cls, interactions: Interactions, num_users: int, num_items: int, config: ModelConfig
    ) -> "History":
        """Compute the history of training rows.

        Args:
            interactions: all within the catalogue.
            num_users: size of the catalogue.
            num_items: likewise.
            config: section `model`, for exponents, half-life and decay. The recency of a pair of
                several rows is the mean of theirs, by weight.
        """
        lists, pair_of_row = interactions.distinct_pairs(num_users, num_items)
        users, items = lists.rows(0, num_users)
        weight = _sums(pair_of_row, interactions.weight, len(items))
        recency = _recency(interactions, num_users, config.history_half_life)
        if config.history_decay:  # without it, no rows need to be sorted by time
            recency *= (1 - config.history_decay) ** interactions.later_rows()
        recent = _sums(pair_of_row, interactions.weight * recency, len(items))
        if config.weight_exponent != 1:
            recent *= power(weight, config.weight_exponent - 1)
            weight = power(weight, config.weight_exponent)
        of_user = power(_sums(users, weight, num_users), -config.user_exponent)
        exponent = config.item_exponent + config.popularity_exponent
        of_item = power(_sums(items, weight, num_items), -exponent)
        return cls(
            lists=lists,
            weight=weight.astype(np.float32),
            pooling=(recent * of_user[users] * of_item[items]).astype(np.float32),
            item_pooling=of_item.astype(np.float32),
            pair_of_row=pair_of_row,
            num_items=num_items,
        )

    def item_totals(self) -> Float64Array:
        """[num_items] sum of the weights of each item's pairs."""
        return _sums(self.lists.items, self.weight, self.num_items)

    def matrix(self) -> scipy.sparse.csr_array:
        """[num_users, num_items] float32 weights of the pairs."""
        shape = (len(self.lists.counts), self.num_items)
        return scipy.sparse.csr_array((self.weight, self.lists.items, self.lists.offsets), shape)


def _sums(idx: Int64Array, weight: NDArray[Any], count: int) -> Float64Array:
    """[count] sum of the weights of each index."""
    return np.asarray(np.bincount(idx, weight, count), dtype=np.float64)


def power(totals: Float64Array, exponent: float) -> Float64Array:
    """Totals ** exponent; 0 where the total is 0."""
    powers: Float64Array = np.zeros(len(totals))
    np.power(totals, exponent, out=powers, where=totals > 0)
    return powers


def unit_mean_length(vectors: Float32Array) -> Float32Array:
    """The vectors, divided by the mean length of those that are not 0."""
    lengths = np.linalg.norm(vectors, axis=1)
    mean = lengths[lengths > 0].mean() if lengths.any() else np.float32(1.0)
    return np.ascontiguousarray(vectors / mean)


def _recency(interactions: Interactions, num_users: int, half_life: float | None) -> Float64Array:
    """[num_rows] 0.5 ** (time before the user's latest row / half-life)."""
    if half_life is None:
        return np.ones(len(interactions))
    latest = np.full(num_users, np.iinfo(np.int64).min)
    np.maximum.at(latest, interactions.user_idx, interactions.timestamp)
    age = latest[interactions.user_idx] - interactions.timestamp
    return np.asarray(np.exp2(-age / (half_life * DAY)))
