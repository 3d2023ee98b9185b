"""Exact top-k by inner product in bounded memory, without torch.

The order is that of `twotower.evaluation.ranking`: best first, equal scores by item index. The
shape of a matrix product can change the last bits of a score, so the scores of a user alone and of
the same user in a batch agree up to float32 rounding.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from twotower.common.arrays import BoolArray, Float32Array, Int64Array
from twotower.data.interactions import ItemLists

QUERIES = 64
"""Queries per matrix product; a row of them has 6 bits in `_order`."""
SCORES = 2**19
"""Scores held at a time: few enough to stay in the CPU cache."""
KEPT = 2**22
"""Best items kept at a time, over all queries of a block."""
GATHERED = 2**22
"""Numbers that are gathered at a time, of vectors of few items."""
FEW = 4
"""Where a filter leaves one of so many items or fewer, only these are scored."""
CROWDED = 1 / 64
"""Share of a block's scores above which a threshold is worth its time."""
SCORE_BITS, PLACE_BITS = 32, 26
"""Of a number to sort by: a float32, and a place among KEPT + SCORES; the other 6 are the row's."""
LARGEST = 2**31 - 1
SAMPLE, SPARE = 1024, 64
"""Scores per row from which a block's threshold is estimated, and per item that is wanted."""


@dataclass(frozen=True)
class Candidates:
    """The items to choose from.

    Attributes:
        vectors: [num_items, dim] float32, possibly memory-mapped.
        allowed: [num_items] whether each item may appear; None: all may.
        scale: [num_items] float32 factor of each item's scores; None: 1.
    """

    vectors: Float32Array
    allowed: BoolArray | None = None
    scale: Float32Array | None = None

    @cached_property
    def num_allowed(self) -> int:
        """How many may appear."""
        return len(self.vectors) if self.allowed is None else int(np.count_nonzero(self.allowed))

    @cached_property
    def few(self) -> Int64Array | None:
        """Those that may appear, ascending, where they are few enough to be scored alone."""
        if self.allowed is None or FEW * self.num_allowed > len(self.vectors):
            return None
        return np.flatnonzero(self.allowed)

    def scores(self, queries: Float32Array) -> Iterator[tuple[int, Float32Array]]:
        """Blocks of items, or of the few: the first one's index, and [num_queries, items] scores.

        Items that may not appear score -inf.
        """
        step = max(1, SCORES // len(queries))
        if self.few is not None:
            step = max(1, min(step, GATHERED // self.vectors.shape[1]))
        for low in range(0, len(self.vectors if self.few is None else self.few), step):
            block = slice(low, low + step) if self.few is None else self.few[low : low + step]
            scores = queries @ self.vectors[block].T
            if self.scale is not None:
                scores *= self.scale[block]
            if self.allowed is not None and self.few is None:
                scores[:, ~self.allowed[block]] = -np.inf
            yield low, scores


def top_k(
    queries: Float32Array, candidates: Candidates, k: int, masked: ItemLists
) -> tuple[Int64Array, Float32Array]:
    """The k items with the largest inner product with each query.

    Args:
        queries: [num_queries, dim] float32.
        candidates: the items.
        k: at most the number of items.
        masked: items to leave out for each query.

    Returns:
        [num_queries, k] int64 item indices, -1 past the end, and float32 scores, NaN past the end.
    """
    items = np.full((len(queries), k), -1, dtype=np.int64)
    scores = np.full((len(queries), k), np.nan, dtype=np.float32)
    few = candidates.few
    step = min(QUERIES, max(1, KEPT // max(k, 1)))
    for start in range(0, len(queries), step):
        stop = min(start + step, len(queries))
        best = _Best(stop - start, k)
        rows, hidden = masked.rows(start, stop)
        if few is not None:
            rows, hidden = _among(few, rows, hidden)
        for low, block in candidates.scores(queries[start:stop]):
            here = (hidden >= low) & (hidden < low + block.shape[1])
            block[rows[here], hidden[here] - low] = -np.inf
            best.add(block, low)
        items[start:stop], scores[start:stop] = best.items, best.scores
    filled = items >= 0
    scores[~filled] = np.nan
    if few is not None:
        items[filled] = few[items[filled]]
    return items, scores


def rescored(
    query: Float32Array, candidates: Candidates, items: Int64Array, k: int
) -> tuple[Int64Array, Float32Array]:
    """The best k of some items by their inner products with a query, and these, in order.

    Args:
        query: [dim] float32.
        candidates: give the vectors.
        items: [num_items] ascending.
        k: may be more than there are items.
    """
    values = candidates.vectors[items] @ query
    order = np.argsort(-values, kind="stable")[:k]
    return items[order], values[order]


def _among(few: Int64Array, rows: Int64Array, items: Int64Array) -> tuple[Int64Array, Int64Array]:
    """The pairs whose items are among the few, which are ascending, and their places there."""
    places = np.searchsorted(few, items)
    here = np.append(few, -1)[places] == items
    return rows[here], places[here]


class _Best:
    """The best items of each query so far, in order.

    Attributes:
        items: [num_queries, k] int64; -1 where there is none yet.
        scores: [num_queries, k] float32; -inf where there is none yet.
    """

    def __init__(self, num_queries: int, k: int) -> None:
        self.items = np.full((num_queries, k), -1, dtype=np.int64)
        self.scores = np.full((num_queries, k), -np.inf, dtype=np.float32)

    def add(self, block: Float32Array, low: int) -> None:
        """Merge the scores of the items from `low` on; an item that scores -inf never appears."""
        num_queries, k = self.items.shape
        # Above the last score, as an equal one does not displace an earlier item.
        better = block >= np.nextafter(self.scores[:, -1:], np.float32(np.inf))
        if np.count_nonzero(better) > CROWDED * better.size:
            better &= block >= _threshold(block, k)
        found = np.flatnonzero(better)  # faster than nonzero
        if not len(found):
            return
        rows, columns = np.divmod(found, block.shape[1])
        items = np.concatenate([self.items.ravel(), columns + low])
        scores = np.concatenate([self.scores.ravel(), block.ravel()[found]])
        rows = np.concatenate([np.repeat(np.arange(num_queries), k), rows])
        counts = np.bincount(rows)
        begins = np.cumsum(counts) - counts
        best = _order(rows, scores)[begins[:, None] + np.arange(k)]
        self.items, self.scores = items[best], scores[best]


def _order(rows: Int64Array, scores: Float32Array) -> Int64Array:
    """[num_scores] places by row, then the largest score, then by place.

    All three are the bits of one number, as sorting numbers is many times faster than `lexsort`.
    """
    bits = scores.view(np.int32).astype(np.int64)
    rising = np.where(bits < 0, -(bits & LARGEST), bits)  # as the scores; equal for 0.0 and -0.0
    keys = rows << SCORE_BITS | LARGEST - rising
    keys = (keys << PLACE_BITS | np.arange(len(rows))).view(np.uint64)
    keys.sort()
    order: Int64Array = (keys & np.uint64(2**PLACE_BITS - 1)).astype(np.int64)
    return order


def _threshold(block: Float32Array, k: int) -> Float32Array:
    """[rows, 1] lower bound of each row's k-th largest score, from a sample of the row.

    The k-th largest of a sample is never above the k-th largest of all.
    """
    sample = block[:, :: max(1, block.shape[1] // max(SAMPLE, SPARE * k))]
    width = sample.shape[1]
    if width < k:
        return np.full((len(block), 1), -np.inf, np.float32)
    return np.partition(sample, width - k, axis=1)[:, width - k, None]
