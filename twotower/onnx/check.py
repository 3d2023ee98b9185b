"""The graphs against torch: the same users and items by both."""

from dataclasses import dataclass

import numpy as np
import torch

from twotower.artifacts import Artifacts
from twotower.common.arrays import Float32Array, Int64Array
from twotower.common.errors import ArtifactError
from twotower.data.interactions import ItemLists
from twotower.new_items.by_torch import encode_by_torch
from twotower.onnx.run import OnnxTowers
from twotower.onnx.tower import feature_inputs
from twotower.onnx.towers import HISTORY_ALONE, NEW, PADDING

MOST = 1_000
"""Users and items that are compared, at most: evenly spaced among more."""
LONGEST = 200
"""Items of a history that are compared, at most: the last."""
TOLERANCE = 1e-4
"""Largest difference of two numbers, of vectors whose numbers are at most 1; else in proportion."""


@dataclass(frozen=True)
class Difference:
    """What comparing showed.

    Attributes:
        users: that were compared.
        items: likewise.
        user_tower: largest absolute difference of two numbers of their vectors.
        item_tower: likewise.
    """

    users: int
    items: int
    user_tower: float
    item_tower: float


def compare(artifacts: Artifacts, towers: OnnxTowers) -> Difference:
    """Compare the graphs with torch.

    Raises:
        ArtifactError: if they differ by more than rounding.
    """
    users, items = (_spaced(len(ids)) for ids in (artifacts.user_ids, artifacts.item_ids))
    difference = Difference(
        users=len(users),
        items=len(items),
        user_tower=_user_tower(artifacts, towers, users),
        item_tower=_item_tower(artifacts, towers, items),
    )
    for tower, found, vectors in (
        ("user_tower", difference.user_tower, artifacts.user_vecs[users]),
        ("item_tower", difference.item_tower, artifacts.item_vecs[items]),
    ):
        most = TOLERANCE * max(1.0, float(np.abs(vectors).max(initial=0.0)))
        if not found <= most:
            msg = (
                f"{artifacts.folder}: the graph {tower} differs from torch by {found:.2g}, more "
                f"than {most:.2g}, so nothing is written"
            )
            raise ArtifactError(msg)
    return difference


def histories_of(artifacts: Artifacts, users: Int64Array) -> Int64Array:
    """[len(users), longest] items of users as `user_tower` takes them, the last LONGEST at most.

    Those of the sequences that a sequence tower was trained on, otherwise of the training rows.
    """
    lists = artifacts.seen
    if artifacts.config.reads_sequence:
        weights = artifacts.weights
        lists = ItemLists(weights["sequence_offsets"], weights["sequence_items"])
    each = [lists.items[slice(*lists.offsets[user : user + 2])][-LONGEST:] for user in users]
    histories = np.full((len(each), max([1, *map(len, each)])), PADDING)
    for row, items in zip(histories, each, strict=True):
        row[: len(items)] = items
    return histories


def _item_tower(artifacts: Artifacts, towers: OnnxTowers, items: Int64Array) -> float:
    features = towers.model.items.take(items)
    vectors, *_ = towers.item_tower.of_all({"item_idx": items, **feature_inputs(features)})
    found = _largest(vectors, artifacts.item_vecs[items])
    if not features.columns:
        return found
    model = artifacts.towers
    new, read = encode_by_torch(model, features, len(items), artifacts.config)
    by_graph, read_by_graph = towers.new_items(features, len(items))
    found = max(found, _largest(by_graph, new))
    if read is not None and read_by_graph is not None:
        found = max(found, _largest(read_by_graph, read))
    return found


def _user_tower(artifacts: Artifacts, towers: OnnxTowers, users: Int64Array) -> float:
    """Of the users by their index, and of histories alone."""
    features = feature_inputs(towers.model.users.take(users))
    if towers.model.read is None:
        [vectors] = towers.user_tower.of_all({"user_idx": users, **features})
        return _largest(vectors, artifacts.user_vecs[users])
    histories = histories_of(artifacts, users)
    differences = []
    for index in (users, np.full(len(users), HISTORY_ALONE)):
        inputs = {"user_idx": index, "history": histories, **features}
        [vectors] = towers.user_tower.of_all(inputs)
        differences.append(_largest(vectors, _by_torch(artifacts, towers, index, histories)))
    return max(differences)


@torch.no_grad()
def _by_torch(
    artifacts: Artifacts, towers: OnnxTowers, users: Int64Array, histories: Int64Array
) -> Float32Array:
    """[len(users), dim] vectors of users with these histories; all of one kind of index."""
    model, is_known = artifacts.towers, bool(len(users) and users[0] > NEW)
    if is_known and model.encoder is not None:
        return artifacts.user_vecs[users]  # which were made of the same sequences
    vectors = torch.zeros(len(users), model.item_tower.dim)
    if is_known:
        vectors += model.user_tower(torch.from_numpy(users))
    for row, history in enumerate(histories):
        items = history[history != PADDING]
        if model.encoder is not None and len(items):
            vectors[row] = torch.from_numpy(model.sequence_vectors(items[None]))[0]
        elif len(items):
            vectors[row] += torch.from_numpy(_pooled(towers, items))
    vectors = model.finish(vectors)
    if model.adds_popularity:
        nonzero = vectors.any(dim=1, keepdim=True).to(vectors.dtype)
        vectors = torch.cat([vectors, nonzero], dim=1)
    result: Float32Array = vectors.numpy()
    return result


def _pooled(towers: OnnxTowers, items: Int64Array) -> Float32Array:
    """[width] see `TwoTower.history_item_vectors`."""
    model = towers.model
    table = np.empty((0, 0)) if model.read is None else model.read
    weights = (1 - model.history_decay) ** np.arange(len(items) - 1, -1, -1)
    pooled = (weights @ table[items]) * len(items) ** -model.user_exponent
    return np.asarray(pooled, dtype=np.float32)


def _largest(one: Float32Array, other: Float32Array) -> float:
    return float(np.abs(one - other).max(initial=0.0))


def _spaced(count: int) -> Int64Array:
    return np.linspace(0, count - 1, min(count, MOST)).astype(np.int64)
