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

    def ranking(self, allowed: BoolArray | None) -> IntArray:
        """All items that are allowed (None: all), the most popular first."""
        return self._order if allowed is None else self._order[allowed[self._order]]

    def first(self, ranking: IntArray, k: int, masked: IntArray) -> tuple[IntArray, FloatArray]:
        """The first k items of a ranking that are not in `masked`, and their counts."""
        head = ranking[: k + len(masked)]
        items = head[~np.isin(head, masked)][:k] if len(masked) else head
        return items, self._counts[items].astype(np.float32)
