"""Exact top-k by inner product in bounded memory, without torch.

The order is that of `twotower.evaluation.ranking`: best first, equal scores by item index. The
shape of a matrix product can change the last bits of a score, so the scores of a user alone and of
the same user in a batch agree up to float32 rounding.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from twotower.common.arrays import BoolArray, Float32Array, Int64Array
from twotower.data.interactions import ItemLists

QUERIES = 64
"""Queries per matrix product."""
SCORES = 2**19
"""Scores held at a time: few enough to stay in the CPU cache."""
KEPT = 2**22
"""Best items kept at a time, over all queries of a block."""
SAMPLE = 1024
"""Scores per row from which a block's threshold is estimated."""


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

    def scores(self, queries: Float32Array) -> Iterator[tuple[int, Float32Array]]:
        """Blocks of items: index of the first item, and [num_queries, items] scores.

        Items that may not appear score -inf; blocks in which no item may appear are skipped.
        """
        step = max(1, SCORES // len(queries))
        for low in range(0, len(self.vectors), step):
            block = slice(low, low + step)
            if self.allowed is not None and not self.allowed[block].any():
                continue
            scores = queries @ self.vectors[block].T
            if self.scale is not None:
                scores *= self.scale[block]
            if self.allowed is not None:
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
    step = min(QUERIES, max(1, KEPT // max(k, 1)))
    for start in range(0, len(queries), step):
        stop = min(start + step, len(queries))
        best = _Best(stop - start, k)
        rows, hidden = masked.rows(start, stop)
        for low, block in candidates.scores(queries[start:stop]):
            here = (hidden >= low) & (hidden < low + block.shape[1])
            block[rows[here], hidden[here] - low] = -np.inf
            best.add(block, low)
        items[start:stop], scores[start:stop] = best.items, best.scores
    scores[items < 0] = np.nan
    return items, scores


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
        k = self.items.shape[1]
        # An equal score does not displace an earlier item, which has the lower index.
        better = block > self.scores[:, -1:]
        if (threshold := _threshold(block, k)) is not None:
            better &= block >= threshold
        rows, columns = np.divmod(np.flatnonzero(better), block.shape[1])  # faster than nonzero
        if not len(rows):
            return
        kept_rows, kept_columns = np.nonzero(self.items >= 0)
        all_rows = np.concatenate([kept_rows, rows])
        all_items = np.concatenate([self.items[kept_rows, kept_columns], columns + low])
        all_scores = np.concatenate([self.scores[kept_rows, kept_columns], block[rows, columns]])
        order = np.lexsort((all_items, -all_scores, all_rows))
        sorted_rows = all_rows[order]
        begins = np.searchsorted(sorted_rows, np.arange(len(block)))
        ranks = np.arange(len(order)) - begins[sorted_rows]
        first = ranks < k
        places = sorted_rows[first], ranks[first]
        self.items[places] = all_items[order[first]]
        self.scores[places] = all_scores[order[first]]


def _threshold(block: Float32Array, k: int) -> Float32Array | None:
    """[rows, 1] lower bound of each row's k-th largest score, from a sample of the row.

    The k-th largest of a sample is never above the k-th largest of all.
    """
    sample = block[:, :: max(1, block.shape[1] // max(SAMPLE, 4 * k))]
    width = sample.shape[1]
    if width < k:
        return None
    return np.partition(sample, width - k, axis=1)[:, width - k, None]
