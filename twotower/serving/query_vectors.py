"""Vectors to rank with: of known users, of histories, and inverse lengths of item vectors."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from twotower.artifacts import Artifacts
from twotower.common.arrays import Float32Array, Int64Array

BLOCK = 2**16
"""Items whose lengths are computed at a time."""


def user_vectors(artifacts: Artifacts, users: Int64Array) -> Float32Array:
    """[len(users), dim] vectors of users by index; zeros for an unknown one (-1)."""
    vectors = np.zeros((len(users), artifacts.item_vecs.shape[1]), dtype=np.float32)
    vectors[users >= 0] = artifacts.user_vecs[users[users >= 0]]
    return vectors


def reads_histories(artifacts: Artifacts) -> bool:
    """Whether the user tower computes a vector from the items of a history."""
    return artifacts.history_item_vecs is not None or _reads_sequence(artifacts)


def _reads_sequence(artifacts: Artifacts) -> bool:
    return bool(artifacts.meta["model"].get("user_tower") == "sequence")


def history_vectors(artifacts: Artifacts, histories: Sequence[Int64Array]) -> Float32Array:
    """[len(histories), dim] vectors of users with these distinct items; zeros for an empty list.

    As the model's user tower computes them if it reads histories, otherwise the mean of the item
    vectors; L2-normalised where the model compares by cosine, as its user vectors are. The vector
    of a history does not depend on the others.

    Args:
        artifacts: of the model.
        histories: items of each, the latest last.
    """
    width = tower_width(artifacts)
    vectors = np.zeros((len(histories), width), dtype=np.float64)
    for row, items in enumerate(histories):
        if len(items):
            vectors[row] = _history_vector(artifacts, items, width)
    if artifacts.meta["model"]["similarity"] == "cosine":
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors = np.divide(vectors, lengths, out=vectors, where=lengths > 0)
    if width < artifacts.item_vecs.shape[1]:
        vectors = np.column_stack([vectors, vectors.any(axis=1)])
    return vectors.astype(np.float32)


def _history_vector(artifacts: Artifacts, items: Int64Array, width: int) -> NDArray[np.floating]:
    """[width] vector of a user with these items, at least one, before it is normalised."""
    if _reads_sequence(artifacts):
        return artifacts.towers.sequence_vector(items)
    addends, exponent, decay = artifacts.item_vecs, 1.0, 0.0
    if artifacts.history_item_vecs is not None:
        stored = artifacts.meta["history"]
        addends = artifacts.history_item_vecs
        exponent, decay = float(stored["user_exponent"]), float(stored.get("history_decay", 0.0))
    weights = (1 - decay) ** np.arange(len(items) - 1, -1, -1)
    pooled: NDArray[np.floating] = weights @ addends[items, :width] * len(items) ** -exponent
    return pooled


def tower_width(artifacts: Artifacts) -> int:
    """Leading dimensions that come from the towers: all, or all but that of the popularity."""
    dim: int = artifacts.item_vecs.shape[1]
    return dim - 1 if artifacts.meta["model"].get("popularity_weight") else dim


def inverse_lengths(vectors: Float32Array) -> Float32Array:
    """[len(vectors)] 1 / length of each vector; 0 for a vector of zeros."""
    lengths = np.empty(len(vectors), dtype=np.float32)
    for low in range(0, len(vectors), BLOCK):
        block = slice(low, low + BLOCK)
        lengths[block] = np.linalg.norm(vectors[block], axis=1)
    inverse: Float32Array = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    return inverse
