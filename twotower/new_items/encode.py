"""Items that came after training: what a trained item tower says of them, by their features."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from twotower.artifacts import Artifacts
from twotower.common.arrays import Float32Array
from twotower.common.errors import RequestError
from twotower.data.features import Features
from twotower.onnx.run import OnnxTowers, is_installed, item_features
from twotower.onnx.towers import rarest


@dataclass(frozen=True)
class NewVectors:
    """Vectors of new items.

    Attributes:
        items: [num_new, dim] float32, as `TwoTower.vectors` has them.
        in_history: [num_new, dim] float32, as `TwoTower.history_item_vectors` has them; None
            without a pooled history.
    """

    items: Float32Array
    in_history: Float32Array | None


def encode_new_items(artifacts: Artifacts, features: Features, count: int) -> NewVectors:
    """Vectors of items without training rows, as training leaves those: without a part of the id.

    An item counts as the rarest one that has training rows, in its popularity and in histories.
    Where histories have a table of their own, which knows nothing of features, it adds nothing to
    them. By onnxruntime where it is installed, otherwise by torch.

    Args:
        artifacts: of the model.
        features: of the new items, see `Features.encode_more`.
        count: number of new items.

    Raises:
        RequestError: if the item tower says nothing of features.
    """
    check_reads_features(artifacts)
    if is_installed():
        items, read = OnnxTowers(artifacts).new_items(features, count)
    else:
        from twotower.new_items.by_torch import encode_by_torch

        items, read = encode_by_torch(artifacts.towers, features, count, artifacts.config)
    if read is None or artifacts.history_item_vecs is None:
        return NewVectors(items, None)
    return NewVectors(items, np.pad(read, ((0, 0), (0, items.shape[1] - read.shape[1]))))


def check_reads_features(artifacts: Artifacts) -> None:
    """Require an item tower that has learnt something of the items' features.

    Raises:
        RequestError: saying which settings make one.
    """
    if not item_features(artifacts).columns:
        msg = (
            "the model's item tower reads no side features, so that it knows nothing of new items; "
            "a model with data.items.features, model.features: true and model.item_tower: both "
            "(or features) does"
        )
        raise RequestError(msg)
    if not any(each.any() for name, each in artifacts.weights.items() if _is_encoder(name)):
        msg = (
            "side features add nothing to the vectors of this model's items, so that it knows "
            "nothing of new items: its start sets ids alone (model.init), and it was not trained "
            "from there (train.epochs: 0)"
        )
        raise RequestError(msg)


def with_more_items(weights: Mapping[str, NDArray[Any]], count: int) -> dict[str, NDArray[Any]]:
    """Weights of the same towers with `count` new items at the end; see `encode_new_items`."""
    grown = dict(weights)
    for name in ("item_tower.id_embedding.weight", "history_embedding.weight"):
        if name in grown:
            grown[name] = np.pad(grown[name], ((0, count), (0, 0)))
    for name in ("history_item_pooling", "popularity"):
        if name in grown:
            value = rarest(name, grown[name])
            grown[name] = np.pad(grown[name], (0, count), constant_values=value)
    return grown


def _is_encoder(name: str) -> bool:
    """Whether a weight belongs to a side feature of the items."""
    tower, _, part = name.partition(".")
    return tower == "item_tower" and not part.startswith(("id_embedding.", "layers."))
