"""A second stage: recommendations that differ more, and caps on how many share an attribute.

Source of the order: Carbonell and Goldstein, "The use of MMR, diversity-based reranking for
reordering documents and producing summaries", SIGIR 1998.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np

from twotower.common.arrays import BoolArray, Float32Array, Int64Array
from twotower.common.errors import RequestError
from twotower.data.features import Features
from twotower.data.interactions import ItemLists
from twotower.retrieval.caps import Cap, Counter

POOL = 100
"""Items to choose from, at least."""
POOL_PER_ITEM = 10
"""Items to choose from for each that is recommended."""
NUMBERS = 2**20
"""Numbers held at a time: vectors of pools, and counts of values."""
HIDDEN = 2**23
"""Items held at a time that later pools leave out."""

Search = Callable[[Int64Array, int, ItemLists], tuple[Int64Array, Float32Array]]
"""Of rows, a width and the items to leave out for each row: [rows, width] the best items, -1 past
the end, and their scores, NaN past the end."""


@dataclass(frozen=True)
class Reranking:
    """What a request asks of the second stage.

    Attributes:
        diversity: d, from 0 to 1. The first item is the best one; each further one has the largest
            (1 - d) * relevance - d * (largest cosine similarity to an item that is chosen already).
            The relevance is the score, scaled to [0, 1] within the pool: the user's best
            max(POOL, POOL_PER_ITEM * k) items.
        max_per: by categorical or multi-valued feature of the items, how many recommended items may
            have the same value; all values of an item count. Items without a value have no cap.
            Where too few of a pool are left, the best that may still be recommended are the next.

    Raises:
        RequestError: if diversity is not such a number, or a cap not an integer of at least 1.
    """

    diversity: float = 0.0
    max_per: Mapping[str, int] | None = None

    def __post_init__(self) -> None:
        """Check both."""
        d = self.diversity
        if not isinstance(d, Real) or isinstance(d, bool) or not 0 <= d <= 1:
            msg = f"diversity must be a number from 0 to 1, got {d!r}"
            raise RequestError(msg)
        if self.max_per is not None and not isinstance(self.max_per, Mapping):
            msg = f"max_per must give a number for each feature, got {self.max_per!r}"
            raise RequestError(msg)
        for name, cap in (self.max_per or {}).items():
            if not isinstance(cap, Integral) or isinstance(cap, bool) or cap < 1:
                msg = f"max_per: {name}: must be an integer of at least 1, got {cap!r}"
                raise RequestError(msg)

    @property
    def is_asked_for(self) -> bool:
        """Whether anything may change."""
        return bool(self.diversity or self.max_per)


def parse_caps(texts: Iterable[str]) -> dict[str, int]:
    """`max_per` of texts such as "brand=2".

    Raises:
        RequestError: if one is not written so, or two are of the same feature.
    """
    caps: dict[str, int] = {}
    for text in texts:
        parts = re.fullmatch(r"(.+)=([0-9]{1,9})", text)
        if parts is None or parts[1] in caps:
            msg = f"max_per: must be FEATURE=NUMBER, once for each feature, got {text!r}"
            raise RequestError(msg)
        caps[parts[1]] = int(parts[2])
    return caps


class _Lists:
    """The recommendations of some rows as they grow.

    Attributes:
        items: [rows, k] int64; -1 where there is none yet.
        scores: [rows, k] float32; NaN where there is none yet.
        lengths: [rows] int64.
        counts: for each cap [rows, num_values] int64 number of items with the value.
    """

    def __init__(self, rows: int, k: int, caps: Iterable[Cap]) -> None:
        self.items = np.full((rows, k), -1)
        self.scores = np.full((rows, k), np.nan, dtype=np.float32)
        self.lengths = np.zeros(rows, np.int64)
        self.counts = [np.zeros((rows, cap.num_values), np.int64) for cap in caps]

    def add(self, rows: Int64Array, items: Int64Array, scores: Float32Array) -> None:
        """Append one item to each of these rows."""
        places = rows, self.lengths[rows]
        self.items[places], self.scores[places] = items, scores
        self.lengths[rows] += 1


class SecondStage:
    """Chooses from what a search finds; see `Reranking`."""

    def __init__(
        self,
        asked: Reranking,
        features: Features,
        vectors: Float32Array,
        inverse_lengths: Float32Array,
    ) -> None:
        """Find the features that are capped.

        Args:
            asked: of this request.
            features: of the items; not read without caps.
            vectors: [num_items, dim] of the items, possibly memory-mapped.
            inverse_lengths: [num_items] of the vectors; 0 for a vector of zeros, which is similar
                to none.

        Raises:
            RequestError: if the items have no such feature, or it has no values to count.
        """
        self._diversity = np.float32(asked.diversity)
        self._caps = [Cap.of(name, cap, features) for name, cap in (asked.max_per or {}).items()]
        self._vectors = vectors
        self._inverse_lengths = inverse_lengths

    def top_k(self, search: Search, k: int, seen: ItemLists) -> tuple[Int64Array, Float32Array]:
        """The k items of each row, in the order in which they are chosen.

        Args:
            search: what may be recommended, the best first.
            k: at most the number of items.
            seen: items to leave out for each row.

        Returns:
            As `exact.top_k`.
        """
        num_rows = len(seen.counts)
        items = np.full((num_rows, k), -1)
        scores = np.full((num_rows, k), np.nan, dtype=np.float32)
        width = self._vectors.shape[1] if self._diversity else 1
        held = self._size(k) * (width + 1) + sum(cap.num_values for cap in self._caps)
        step = max(1, NUMBERS // held)
        for start in range(0, num_rows if k else 0, step):
            rows = np.arange(start, min(start + step, num_rows))
            lists = _Lists(len(rows), k, self._caps)
            self._grow(lists, search, rows, seen.select(rows))
            items[rows], scores[rows] = lists.items, lists.scores
        return items, scores

    def _size(self, k: int) -> int:
        """Items of a pool."""
        return min(max(POOL, POOL_PER_ITEM * k), len(self._vectors))

    def _grow(self, lists: _Lists, search: Search, rows: Int64Array, seen: ItemLists) -> None:
        """Fill the lists from one pool after the other, until they are full or no item is left."""
        short = self._extend(lists, search, rows, np.arange(len(rows)), seen)
        step = max(1, HIDDEN // len(self._vectors))
        for start in range(0, len(short), step):
            some = short[start : start + step]
            while len(some):
                hidden = ItemLists.of([self._hidden(lists, row, seen) for row in some.tolist()])
                some = self._extend(lists, search, rows, some, hidden)

    def _extend(
        self, lists: _Lists, search: Search, rows: Int64Array, some: Int64Array, hidden: ItemLists
    ) -> Int64Array:
        """Fill some of the lists from their next pools; those that may still become longer."""
        k = lists.items.shape[1]
        pool, scores = search(rows[some], self._size(k), hidden)
        self._choose(lists, some, pool, scores)
        return some[(lists.lengths[some] < k) & (pool[:, -1] >= 0)]

    def _hidden(self, lists: _Lists, row: int, seen: ItemLists) -> Int64Array:
        """Items that the row may not get, or has."""
        hidden = np.zeros(len(self._vectors), np.bool_)
        hidden[seen.items[seen.offsets[row] : seen.offsets[row + 1]]] = True
        hidden[lists.items[row, : lists.lengths[row]]] = True
        for cap, counts in zip(self._caps, lists.counts, strict=True):
            hidden[cap.owners[cap.is_full(counts[row, cap.codes], cap.codes)]] = True
        return np.flatnonzero(hidden)

    def _choose(
        self, lists: _Lists, rows: Int64Array, pool: Int64Array, scores: Float32Array
    ) -> None:
        """Move items from the pools of these rows to their lists, while that is possible."""
        each, free = np.arange(len(rows)), pool >= 0
        relevance = (1 - self._diversity) * _scaled(scores, free)
        nearest = self._nearest(pool, lists.items[rows]) if self._diversity else None
        counters = [
            Counter(cap, counts, rows, pool)
            for cap, counts in zip(self._caps, lists.counts, strict=True)
        ]
        while True:
            value = relevance
            if nearest is not None:
                value = relevance - self._diversity * nearest.cosines
            picks = np.where(free, value, -np.inf).argmax(axis=1)
            growing = free[each, picks] & (lists.lengths[rows] < lists.items.shape[1])
            if not growing.any():
                return
            places = each[growing], picks[growing]
            lists.add(rows[growing], pool[places], scores[places])
            free[places] = False
            for counter in counters:
                counter.add(places, free)
            if nearest is not None:
                nearest.add(nearest.vectors[each, picks], growing)

    def _nearest(self, pool: Int64Array, chosen: Int64Array) -> "_Nearest":
        """The pools against what earlier pools have given to the lists."""
        nearest = _Nearest(self._unit(pool))
        for items in chosen.T:
            nearest.add(self._unit(items), items >= 0)
        return nearest

    def _unit(self, items: Int64Array) -> Float32Array:
        """[…, dim] vectors of items, of length 1 or 0; that of -1 means nothing."""
        vectors: Float32Array = self._vectors[items] * self._inverse_lengths[items][..., None]
        return vectors


class _Nearest:
    """How near each item of a pool is to the nearest one that is chosen.

    Attributes:
        vectors: [rows, size, dim] float32 of the pools, of length 1 or 0.
        cosines: [rows, size] float32; -inf while none is chosen, which makes all of the pool
            equally good, so that its first is chosen.
    """

    def __init__(self, vectors: Float32Array) -> None:
        self.vectors = vectors
        self.cosines = np.full(vectors.shape[:2], -np.inf, dtype=np.float32)

    def add(self, chosen: Float32Array, is_chosen: BoolArray) -> None:
        """One more vector, [rows, dim], of those rows where it is chosen."""
        if is_chosen.any():
            cosines = (self.vectors @ chosen[:, :, None])[:, :, 0]
            cosines[~is_chosen] = -np.inf
            np.maximum(self.cosines, cosines, out=self.cosines)


def _scaled(scores: Float32Array, valid: BoolArray) -> Float32Array:
    """[rows, size] scores, the best first, as 1 to 0; 0 where all of a row are equal."""
    lowest = np.where(valid, scores, np.inf).min(axis=1, initial=np.inf)[:, None]
    above = scores - lowest
    scaled = np.zeros_like(scores)
    np.divide(above, above[:, :1], out=scaled, where=valid & (above[:, :1] > 0))
    return scaled
