"""Vectors of users who were not trained on, by their histories: in evaluation as in serving."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twotower.common.arrays import Float32Array, Int64Array

BLOCK_NUMBERS = 2**20
"""Numbers of the item vectors that are pooled at a time."""


@dataclass(frozen=True)
class FoldIn:
    """How a model makes a user's vector of the items of a history.

    Attributes:
        addends: [num_items, at least width] float32 what each item adds to the vector.
        width: leading dimensions that come from the towers.
        exponent: the sum over n items is divided by n ** exponent; 1 is their mean.
        decay: share of its weight that an item loses with each later one, in [0, 1).
        normalise: whether vectors are L2-normalised, as for the cosine.
        has_popularity: whether a dimension follows that is 1 for a vector that is not zero.
        encode: reads histories of one length, [count, length] items, the latest last, instead:
            [count, width] before they are normalised; None: they are pooled.
        at_once: histories that it reads at a time; with more than 1, the last bits of a vector
            depend on how many there are.
    """

    addends: Float32Array
    width: int
    exponent: float
    decay: float
    normalise: bool
    has_popularity: bool
    encode: Callable[[Int64Array], Float32Array] | None = None
    at_once: int = 1

    def vectors(self, histories: Sequence[Int64Array]) -> Float32Array:
        """[len(histories), dim] vectors of users with these items; zeros for an empty list.

        The vector of a history does not depend on the others, unless they are read at once.

        Args:
            histories: distinct items of each, the latest last.
        """
        vectors = np.zeros((len(histories), self.width), dtype=np.float64)
        for rows in self._blocks(histories):
            items = np.stack([histories[row] for row in rows])
            vectors[rows] = self._pooled(items) if self.encode is None else self.encode(items)
        if self.normalise:
            lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
            vectors = np.divide(vectors, lengths, out=vectors, where=lengths > 0)
        if self.has_popularity:
            vectors = np.column_stack([vectors, vectors.any(axis=1)])
        return vectors.astype(np.float32)

    def _blocks(self, histories: Sequence[Int64Array]) -> Iterator[list[int]]:
        """Rows of histories of one length, none of them empty, that are read at once."""
        by_length: dict[int, list[int]] = {}
        for row, items in enumerate(histories):
            by_length.setdefault(len(items), []).append(row)
        by_length.pop(0, None)
        for length, rows in by_length.items():
            pooled = max(1, BLOCK_NUMBERS // (length * self.width))
            size = pooled if self.encode is None else self.at_once
            for start in range(0, len(rows), size):
                yield rows[start : start + size]

    def _pooled(self, items: Int64Array) -> NDArray[np.floating]:
        """[count, width] of [count, length] items, before they are normalised."""
        length = items.shape[1]
        weights = (1 - self.decay) ** np.arange(length - 1, -1, -1)
        pooled: NDArray[np.floating] = weights @ self.addends[items, : self.width]
        pooled *= length**-self.exponent
        return pooled
