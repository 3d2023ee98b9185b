"""The fall-back for whom nothing is known: the items with the most training rows."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]


class Popular:
    """Items by their number of training rows; equally popular ones by index."""

    def __init__(self, item_counts: IntArray) -> None:
        self._counts = item_counts

    @cached_property
    def _order(self) -> IntArray:
        order: IntArray = np.argsort(-np.asarray(self._counts), kind="stable")
        return order

    def top_k(
        self, k: int, masked: IntArray, allowed: BoolArray | None
    ) -> tuple[IntArray, FloatArray]:
        """At most k items that are allowed and not in `masked`, and their counts."""
        order = self._order if allowed is None else self._order[allowed[self._order]]
        head = order[: k + len(masked)]
        items = head[~np.isin(head, masked)][:k]
        return items, self._counts[items].astype(np.float32)
