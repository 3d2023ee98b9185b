"""Vectors to rank with: of known users, of histories, and inverse lengths of item vectors."""

from collections.abc import Sequence
from functools import partial

import numpy as np

from twotower.artifacts import Artifacts
from twotower.common.arrays import Float32Array, Int64Array
from twotower.evaluation.fold_in import FoldIn
from twotower.onnx.run import OnnxTowers, is_installed

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
    return _fold_in(artifacts).vectors(histories)


def _fold_in(artifacts: Artifacts) -> FoldIn:
    pooled, width = artifacts.history_item_vecs, tower_width(artifacts)
    stored = {} if pooled is None else artifacts.meta["history"]
    return FoldIn(
        addends=artifacts.item_vecs if pooled is None else pooled,
        width=width,
        exponent=float(stored.get("user_exponent", 1.0)),
        decay=float(stored.get("history_decay", 0.0)),
        normalise=artifacts.meta["model"]["similarity"] == "cosine",
        has_popularity=width < artifacts.item_vecs.shape[1],
        encode=partial(_read_sequences, artifacts) if _reads_sequence(artifacts) else None,
    )


def _read_sequences(artifacts: Artifacts, items: Int64Array) -> Float32Array:
    """By onnxruntime where it is installed, which needs no torch; the weights are read once."""
    if not is_installed():
        return artifacts.towers.sequence_vectors(items)
    kept = vars(artifacts)  # as what it reads itself is; its own room knows nothing of graphs
    if "onnx_towers" not in kept:
        kept["onnx_towers"] = OnnxTowers(artifacts)
    towers: OnnxTowers = kept["onnx_towers"]
    return towers.sequence_vectors(items)


def tower_width(artifacts: Artifacts) -> int:
    """Leading dimensions that come from the towers: all, or all but that of the popularity."""
    dim: int = artifacts.item_vecs.shape[1]
    return dim - 1 if artifacts.meta["model"].get("popularity_weight") else dim


def inverse_lengths(vectors: Float32Array) -> Float32Array:
    """[len(vectors)] 1 / length of each vector; 0 for a vector of zeros."""
    lengths = np.empty(len(vectors), dtype=np.float32)
    for low in range(0, len(vectors), BLOCK):
        block = slice(low, low + BLOCK)
        with np.errstate(over="ignore"):  # 1 / infinity is 0 as well
            lengths[block] = np.linalg.norm(vectors[block], axis=1)
    inverse: Float32Array = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    return inverse
