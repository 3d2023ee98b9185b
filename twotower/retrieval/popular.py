"""The fallback for users about whom nothing is known: the items with the most training rows."""

from functools import cached_property

import numpy as np

from twotower.common.arrays import BoolArray, Float32Array, Int64Array


class Popular:
    """Items by their number of training rows; equally popular ones by index."""

    def __init__(self, item_counts: Int64Array) -> None:
        self._counts = item_counts

    @cached_property
    def _order(self) -> Int64Array:
        order: Int64Array = np.argsort(-np.asarray(self._counts), kind="stable")
        return order

    def ranking(self, allowed: BoolArray | None) -> Int64Array:
        """All items that are allowed (None: all), the most popular first."""
        return self._order if allowed is None else self._order[allowed[self._order]]

    def first(
        self, ranking: Int64Array, k: int, masked: Int64Array
    ) -> tuple[Int64Array, Float32Array]:
        """The first k items of a ranking that are not in `masked`, and their counts."""
        head = ranking[: k + len(masked)]
        items = head[~np.isin(head, masked)][:k] if len(masked) else head
        return items, self._counts[items].astype(np.float32)
