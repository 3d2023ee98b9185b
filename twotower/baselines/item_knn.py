"""Items similar to those in the user's history: nearest neighbours by cosine."""

import itertools

import numpy as np
import torch
from scipy.sparse import csr_array, vstack
from torch import Tensor

from twotower.baselines.histories import HistoryScorer, histories
from twotower.common.arrays import Float32Array, Int64Array
from twotower.data.interactions import Interactions

BLOCK_ITEMS = 512
"""Items per block of the neighbour search; it bounds the memory of the co-occurrences."""


class ItemKNN(HistoryScorer):
    """Scores an item by the sum of its similarities to its neighbours in the user's history.

    The similarity of two items is c / (sqrt(n · m) + shrink), with c the total weight of the users
    of both, and n and m of the users of each: a cosine, shrunk towards 0 where it rests on few
    users. A user of h items weighs 1 / sqrt(h), so that very active users do not dominate. Each
    item keeps its k most similar items; ties go to the lower index.

    Source: Deshpande and Karypis, "Item-based top-n recommendation algorithms", TOIS 2004, with
    its row normalisation; the shrinkage as in Ferrari Dacrema et al., "Are we really making much
    progress?", RecSys 2019.
    """

    def __init__(
        self,
        interactions: Interactions,
        num_users: int,
        num_items: int,
        *,
        k: int,
        shrink: float = 0.0,
    ) -> None:
        """Find the neighbours of every item.

        Args:
            interactions: the histories.
            num_users: users that can be scored.
            num_items: size of the catalogue.
            k: neighbours per item, > 0.
            shrink: added to the denominator, >= 0.
        """
        self._histories = histories(interactions, num_users, num_items)
        overlaps = _Overlaps(self._histories)
        blocks = [
            _strongest(overlaps.similarities(start, shrink), k)
            for start in range(0, num_items, BLOCK_ITEMS)
        ]
        self._similar = vstack(blocks, format="csr").T.tocsr()

    def scores(self, user_idx: Int64Array) -> Tensor:
        """[batch, num_items] float32."""
        scores: Float32Array = (self._histories[user_idx] @ self._similar).toarray()
        return torch.from_numpy(scores)


class _Overlaps:
    """Co-occurrences of items.

    Attributes:
        by_item: [num_items, num_users] 1 where a user has interacted with an item.
        weighted: [num_users, num_items] the same with the weight of the user.
        totals: [num_items] total weight of each item's users.
    """

    def __init__(self, by_user: csr_array) -> None:
        counts = np.diff(by_user.indptr)
        weights = np.repeat(1 / np.sqrt(np.maximum(counts, 1)), counts)
        self.by_item = by_user.T.tocsr()
        self.weighted = csr_array((weights, by_user.indices, by_user.indptr), shape=by_user.shape)
        self.totals = np.bincount(by_user.indices, weights, minlength=by_user.shape[1])

    def similarities(self, start: int, shrink: float) -> csr_array:
        """[rows, num_items] float32 similarities of a block of items to all others."""
        shared = (self.by_item[start : start + BLOCK_ITEMS] @ self.weighted).tocsr()
        shared.sort_indices()
        rows = np.repeat(np.arange(shared.shape[0]), np.diff(shared.indptr)) + start
        columns = shared.indices
        values = shared.data / (np.sqrt(self.totals[rows] * self.totals[columns]) + shrink)
        values[rows == columns] = 0.0
        return csr_array((values.astype(np.float32), columns, shared.indptr), shape=shared.shape)


def _strongest(similarities: csr_array, k: int) -> csr_array:
    """The k largest values of each row."""
    values, offsets = similarities.data, similarities.indptr
    kept = [low + _largest(values[low:high], k) for low, high in itertools.pairwise(offsets)]
    chosen = np.concatenate(kept)
    ends = np.cumsum([0, *map(len, kept)])
    return csr_array((values[chosen], similarities.indices[chosen], ends), similarities.shape)


def _largest(values: Float32Array, k: int) -> Int64Array:
    """Ascending positions of the k largest values above 0; ties go to the first."""
    positions = np.arange(len(values))
    if len(values) > k:
        bar = np.partition(values, -k)[-k]
        above = np.flatnonzero(values > bar)
        level = np.flatnonzero(values == bar)[: k - len(above)]
        positions = np.sort(np.concatenate([above, level]))
    large: Int64Array = positions[values[positions] > 0]
    return large
