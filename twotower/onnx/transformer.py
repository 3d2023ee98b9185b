"""The causal transformer of a sequence tower, as nodes of a graph; see `SequenceEncoder`."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twotower.onnx.graph import Graph

if TYPE_CHECKING:
    from twotower.config.training import ModelConfig

EPSILON = 1e-5
"""What torch adds to the variance of a layer norm."""


Weights = Mapping[str, NDArray[Any]]


def weight_of(weights: Weights, name: str, *shape: int) -> NDArray[Any]:
    """A weight of the towers.

    Raises:
        ValueError: if there is none of this name and shape.
    """
    found = weights.get(name)
    if found is None or found.shape != shape:
        is_there = None if found is None else found.shape
        msg = f"best_model.pth does not fit model_meta.json ({name!r} should be {shape}, "
        raise ValueError(f"{msg}is {is_there})")
    return found


class Layers:
    """The encoder's layers, of which only the state after the last item is wanted."""

    def __init__(self, graph: Graph, config: "ModelConfig", weights: Weights) -> None:
        self.graph, self.width, self.heads = graph, config.width, config.sequence_heads
        self._weights = weights

    def weight(self, name: str, *shape: int) -> NDArray[Any]:
        """A weight of the encoder."""
        return weight_of(self._weights, f"encoder.{name}", *shape)

    def norm(self, state: str, name: str) -> str:
        """Layer norm."""
        scale, bias = (
            self.graph.constant(self.weight(f"{name}.{part}", self.width), name=f"{name}.{part}")
            for part in ("weight", "bias")
        )
        return self.graph.add("LayerNormalization", state, scale, bias, axis=-1, epsilon=EPSILON)

    def linear(self, state: str, name: str, part: int = 0, parts: int = 1) -> str:
        """A linear layer, or one of several that training has as one."""
        size, own = self.width, f"{name}.{part}" if parts > 1 else name
        rows = slice(part * size, (part + 1) * size)
        matrix = self.weight(f"{name}.weight", parts * size, size)[rows]
        bias = self.weight(f"{name}.bias", parts * size)[rows]
        product = self.graph.add(
            "MatMul", state, self.graph.constant(matrix.T, name=f"{own}.weight")
        )
        return self.graph.add("Add", product, self.graph.constant(bias, name=f"{own}.bias"))

    def block(self, state: str, name: str, allowed: str) -> str:
        """[batch, length, width] to the same: attention, then a feed-forward layer."""
        add = self.graph.add
        attended = self._attend(self.norm(state, f"{name}.attention_norm"), name, allowed)
        state = add("Add", state, attended)
        inner = self.linear(self.norm(state, f"{name}.feed_forward.0"), f"{name}.feed_forward.1")
        inner = self.linear(add("Gelu", inner), f"{name}.feed_forward.3")
        return add("Add", state, inner)

    def _attend(self, state: str, name: str, allowed: str) -> str:
        add, constant = self.graph.add, self.graph.constant
        query, key, value = (
            self._by_head(self.linear(state, f"{name}.query_key_value", part, 3), axes)
            for part, axes in enumerate(([0, 2, 1, 3], [0, 2, 3, 1], [0, 2, 1, 3]))
        )
        scale = constant(1 / math.sqrt(self.width // self.heads))
        scores = add("Mul", add("MatMul", query, key), scale)
        scores = add("Where", allowed, scores, constant(-math.inf))
        mixed = add("MatMul", add("Softmax", scores, axis=-1), value)
        mixed = add("Transpose", mixed, perm=[0, 2, 1, 3])
        mixed = add("Reshape", mixed, constant([0, 0, self.width], np.int64))
        return self.linear(mixed, f"{name}.attended")

    def _by_head(self, state: str, axes: list[int]) -> str:
        shape = [0, 0, self.heads, self.width // self.heads]
        parts = self.graph.add("Reshape", state, self.graph.constant(shape, np.int64))
        return self.graph.add("Transpose", parts, perm=axes)


def last_states(
    graph: Graph, config: "ModelConfig", weights: Weights, inputs: tuple[str, str, str]
) -> tuple[str, str]:
    """[batch, width] the state after the last item, and [batch] the number of items read.

    Args:
        graph: gets the nodes.
        config: section `model`.
        weights: of the towers.
        inputs: [batch, width] what else is known of the users, [num_items, width] vectors of the
            items, and [batch, longest] the items, the latest last, then -1.
    """
    add, constant, layers = graph.add, graph.constant, Layers(graph, config, weights)
    own, table, history = inputs
    items, lengths = _latest(graph, history, config.sequence_length)
    zero, one = constant(0, np.int64), constant(1, np.int64)
    first_axis = constant([1], np.int64)
    length = add("Squeeze", add("Shape", items, start=1), constant([0], np.int64))
    steps = add("Range", zero, length, one)
    ages = add("Sub", add("Sub", add("Unsqueeze", lengths, first_axis), one), steps)
    positions = layers.weight("position.weight", config.sequence_length, config.width)
    position = add("Gather", constant(positions, name="position"), add("Max", ages, zero))
    vectors = add("Gather", table, add("Max", items, zero))
    vectors = add("Add", add("Mul", vectors, constant(math.sqrt(config.width))), position)
    first = add("Add", own, constant(layers.weight("first", config.width), name="first"))
    state = add("Concat", add("Unsqueeze", first, first_axis), vectors, axis=1)
    every = add("Range", zero, add("Add", length, one), one)
    allowed = add("LessOrEqual", every, add("Unsqueeze", every, first_axis))
    for block in range(config.sequence_blocks):
        state = layers.block(state, f"blocks.{block}", allowed)
    state = layers.norm(state, "norm")
    place = add("Unsqueeze", lengths, first_axis)
    return add("GatherND", state, place, batch_dims=1), lengths


def _latest(graph: Graph, history: str, most: int) -> tuple[str, str]:
    """[batch, at most `most`] the latest items, then -1, and [batch] their number."""
    add, constant = graph.add, graph.constant
    zero, first_axis = constant(0, np.int64), constant([1], np.int64)
    given = add("Cast", add("GreaterOrEqual", history, zero), to=7)
    lengths = add("ReduceSum", given, first_axis, keepdims=1)
    longest = add("Squeeze", add("Shape", history, start=1), constant([0], np.int64))
    steps = add("Range", zero, add("Min", longest, constant(most, np.int64)), constant(1, np.int64))
    left_out = add("Max", add("Sub", lengths, constant(most, np.int64)), zero)
    items = add("GatherElements", history, add("Add", left_out, steps), axis=1)
    kept = add("Min", lengths, constant(most, np.int64))
    return items, add("Squeeze", kept, first_axis)
