"""Vectors of users who were not trained on, by their histories: in evaluation as in serving."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from twotower.common.arrays import Float32Array, Int64Array


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
        encode: reads the items of one history, the latest last, instead: [width] before it is
            normalised; None: they are pooled.
    """

    addends: Float32Array
    width: int
    exponent: float
    decay: float
    normalise: bool
    has_popularity: bool
    encode: Callable[[Int64Array], Float32Array] | None = None

    def vectors(self, histories: Sequence[Int64Array]) -> Float32Array:
        """[len(histories), dim] vectors of users with these items; zeros for an empty list.

        The vector of a history does not depend on the others.

        Args:
            histories: distinct items of each, the latest last.
        """
        vectors = np.zeros((len(histories), self.width), dtype=np.float64)
        for row, items in enumerate(histories):
            if len(items):
                vectors[row] = self._one(items)
        if self.normalise:
            lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
            vectors = np.divide(vectors, lengths, out=vectors, where=lengths > 0)
        if self.has_popularity:
            vectors = np.column_stack([vectors, vectors.any(axis=1)])
        return vectors.astype(np.float32)

    def _one(self, items: Int64Array) -> NDArray[np.floating]:
        """[width] of at least one item, before it is normalised."""
        if self.encode is not None:
            return self.encode(items)
        weights = (1 - self.decay) ** np.arange(len(items) - 1, -1, -1)
        addends = self.addends[items, : self.width]
        pooled: NDArray[np.floating] = weights @ addends * len(items) ** -self.exponent
        return pooled
