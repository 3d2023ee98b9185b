"""The towers of a model folder by onnxruntime, without torch."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache, cached_property
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twotower.artifacts import Artifacts
from twotower.artifacts.damage import damage_named
from twotower.common.arrays import Float32Array, Int64Array
from twotower.data.features import Features
from twotower.onnx.tower import feature_inputs
from twotower.onnx.towers import (
    HISTORY_ALONE,
    NEW,
    Model,
    item_graph,
    user_graph,
)

if TYPE_CHECKING:
    from onnx import ModelProto
    from onnxruntime import InferenceSession

BLOCK = 4096
"""Items that are encoded at a time."""


@cache
def is_installed() -> bool:
    """Whether onnx and onnxruntime are."""
    return all(find_spec(name) is not None for name in ("onnx", "onnxruntime"))


def item_features(artifacts: Artifacts) -> Features:
    """The side features that the item tower reads."""
    reads = artifacts.config.features and artifacts.config.item_tower != "id"
    return artifacts.catalogue.items.features if reads else Features()


class Session:
    """A graph that is ready to run, on one thread."""

    def __init__(self, graph: "ModelProto") -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        # Requests come on threads of their own, and more would change the last bits.
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self._session: InferenceSession = onnxruntime.InferenceSession(
            graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, inputs: Mapping[str, NDArray[Any]]) -> list[Float32Array]:
        """All outputs of some entities."""
        outputs: list[Float32Array] = self._session.run(None, dict(inputs))
        return outputs

    def of_all(self, inputs: Mapping[str, NDArray[Any]]) -> list[Float32Array]:
        """All outputs of any number of entities, some at a time."""
        count = len(next(iter(inputs.values())))
        blocks = [
            self({name: each[low : low + BLOCK] for name, each in inputs.items()})
            for low in range(0, max(1, count), BLOCK)
        ]
        return [np.concatenate(parts) for parts in zip(*blocks, strict=True)]


class OnnxTowers:
    """What serving asks of the towers; what it needs is made when it is first used."""

    def __init__(self, artifacts: Artifacts) -> None:
        self._artifacts = artifacts

    @cached_property
    def item_tower(self) -> Session:
        """The item tower.

        Raises:
            ArtifactError: if the folder has been replaced since it was opened, or is damaged.
            ConfigError: if a table is too large.
        """
        return Session(self.item_graph())

    @cached_property
    def user_tower(self) -> Session:
        """The user tower; raises likewise."""
        return Session(self.user_graph())

    def item_graph(self) -> "ModelProto":
        """The item tower as a graph; raises likewise."""
        with damage_named(self._artifacts.folder):
            return item_graph(self._model)

    def user_graph(self) -> "ModelProto":
        """The user tower as a graph; raises likewise."""
        with damage_named(self._artifacts.folder):
            return user_graph(self.model)

    @cached_property
    def model(self) -> Model:
        """What the graphs are made of; raises likewise."""
        history = self._artifacts.meta.get("history", {})
        exponent, decay = (float(history.get(key, 0)) for key in ("user_exponent", "history_decay"))
        return replace(
            self._model, read=self._read_of_items(), user_exponent=exponent, history_decay=decay
        )

    @property
    def _model(self) -> Model:
        artifacts = self._artifacts
        reads_features = artifacts.config.features
        users = artifacts.catalogue.users.features if reads_features else Features()
        return Model(artifacts.config, artifacts.weights, users, item_features(artifacts))

    def _read_of_items(self) -> Float32Array | None:
        """[num_items, width] what the user tower reads of each item; None if it reads none."""
        pooled, width = self._artifacts.history_item_vecs, self._artifacts.config.width
        if pooled is not None:
            return np.ascontiguousarray(pooled[:, :width])
        if not self._artifacts.config.reads_sequence:
            return None
        every = np.arange(len(self._artifacts.item_ids))
        return self.item_tower.of_all({"item_idx": every, **feature_inputs(self._model.items)})[1]

    def sequence_vectors(self, items: Int64Array) -> Float32Array:
        """[count, width] vectors of new users of a sequence tower.

        Args:
            items: [count, length] of the users, the latest last.
        """
        alone = np.full(len(items), HISTORY_ALONE)
        [vectors] = self.user_tower({"user_idx": alone, "history": items, **self._nobody})
        return vectors[:, : self.model.config.width]

    @cached_property
    def _nobody(self) -> Mapping[str, NDArray[Any]]:
        """Side features of one user of whom nothing is known."""
        nobody = self.model.users.take(np.empty(0, np.int64)).pad(1)
        return feature_inputs(nobody)

    def new_items(self, features: Features, count: int) -> tuple[Float32Array, Float32Array | None]:
        """[count, dim] vectors of items, and [count, width] what a user tower reads of them.

        Args:
            features: of the new items, see `Features.encode_more`.
            count: number of new items.
        """
        inputs = {"item_idx": np.full(count, NEW), **feature_inputs(features)}
        vectors, *read = self.item_tower.of_all(inputs)
        return vectors, read[0] if read else None
