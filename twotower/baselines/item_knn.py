"""Items similar to those in the user's history: nearest neighbours by cosine."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack
from torch import Tensor

from twotower.baselines.histories import HistoryScorer, histories
from twotower.common.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from twotower.common.progress import track
from twotower.data.interactions import Interactions

BLOCK_ITEMS = 512
"""Items per block of the neighbour search; it bounds the memory of the co-occurrences."""


class Neighbourhood(NamedTuple):
    """Which items are an item's neighbours.

    Attributes:
        shrink: added to the denominator of the similarity, >= 0.
        k: the most similar items, > 0.
    """

    shrink: float
    k: int


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
        (self._similar,) = _similar(self._histories, [Neighbourhood(shrink, k)])

    @classmethod
    def each(
        cls,
        interactions: Interactions,
        num_users: int,
        num_items: int,
        neighbourhoods: Sequence[Neighbourhood],
    ) -> list[Self]:
        """A scorer of each kind of neighbourhood, for about the time of one."""
        known = histories(interactions, num_users, num_items)
        scorers = []
        for similar in _similar(known, neighbourhoods):
            scorer = cls.__new__(cls)
            scorer._histories, scorer._similar = known, similar
            scorers.append(scorer)
        return scorers

    def scores(self, user_idx: Int64Array) -> Tensor:
        """[batch, num_items] float32."""
        scores: Float32Array = (self._histories[user_idx] @ self._similar).toarray()
        return torch.from_numpy(scores)


def _similar(by_user: csr_array, neighbourhoods: Sequence[Neighbourhood]) -> list[csr_array]:
    """Of each kind [num_items, num_items], in column i the similarities of i's neighbours to i."""
    overlaps = _Overlaps(by_user)
    # The wider of two neighbourhoods first, as the narrower is a part of it.
    order = sorted(set(neighbourhoods), key=lambda kind: (kind.shrink, -kind.k))
    blocks: dict[Neighbourhood, list[csr_array]] = {kind: [] for kind in order}
    for start in track(range(0, by_user.shape[1], BLOCK_ITEMS), "block of items"):
        together, scale = overlaps.block(start)
        for shrink, kinds in groupby(order, key=lambda kind: kind.shrink):
            values = (together.data / (scale + shrink)).astype(np.float32)
            nearest = csr_array((values, together.indices, together.indptr), together.shape)
            for kind in kinds:
                nearest = _strongest(nearest, kind.k)
                blocks[kind].append(nearest)
    # The blocks of a kind are gone before the next is put together: each may be gigabytes.
    similar = {kind: vstack(blocks.pop(kind), format="csr").T.tocsr() for kind in order}
    return [similar[kind] for kind in neighbourhoods]


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
        totals = np.bincount(by_user.indices, weights, minlength=by_user.shape[1])
        self.totals = totals.astype(np.float64)  # of no rows at all, they are integers

    def block(self, start: int) -> tuple[csr_array, Float64Array]:
        """Of a block of items [rows, num_items] total weight of the users that each shares.

        An item shares nothing with itself. Beside it [nnz] sqrt(n · m) of each of its values.
        """
        shared = (self.by_item[start : start + BLOCK_ITEMS] @ self.weighted).tocsr()
        block, counts = slice(start, start + shared.shape[0]), np.diff(shared.indptr)
        items = np.arange(block.start, block.stop, dtype=shared.indices.dtype)
        shared.data[np.repeat(items, counts) == shared.indices] = 0.0
        products = np.repeat(self.totals[block], counts)
        products *= self.totals[shared.indices]
        return shared, np.sqrt(products, out=products)


def _strongest(similarities: csr_array, k: int) -> csr_array:
    """The k largest values above 0 of each row; ties go to the lower index."""
    values, items, offsets = similarities.data, similarities.indices, similarities.indptr
    kept = values > 0
    for row in np.flatnonzero(np.diff(offsets) > k):
        of_row = slice(*offsets[row : row + 2])
        kept[of_row] &= _largest(values[of_row], items[of_row], k)
    places = np.flatnonzero(kept)
    ends = np.searchsorted(places, offsets)
    return csr_array((values[places], items[places], ends), similarities.shape)


def _largest(values: Float32Array, items: NDArray[Any], k: int) -> BoolArray:
    """Whether each is among the k largest; ties go to the lower item."""
    bar = np.partition(values, -k)[-k]
    kept: BoolArray = values >= bar
    if surplus := np.count_nonzero(kept) - k:
        level = np.flatnonzero(values == bar)
        kept[level[np.argsort(items[level])[-surplus:]]] = False
    return kept
