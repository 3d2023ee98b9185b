"""One tower as nodes of a graph, whose side features are inputs."""

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twotower.data.categories import Categorical, MultiValued
from twotower.data.dense import Dense
from twotower.data.features import Features, Numeric
from twotower.onnx.graph import Graph
from twotower.onnx.transformer import Weights, weight_of

if TYPE_CHECKING:
    from twotower.config.training import ModelConfig


def feature_inputs(features: Features) -> dict[str, NDArray[Any]]:
    """The inputs of a graph that are side features, of all entities.

    feature_N is the Nth feature, from 0, in alphabetical order of their names:

        categorical   [batch] int64 code of the category; 0: unknown or missing
        multi_valued  [batch, most_N] int64 codes of the categories, then 0
        numeric       [batch] float32 (value - mean) / std; 0: missing
        vector, text  [batch, width] float32; 0: missing
    """
    inputs: dict[str, NDArray[Any]] = {}
    values: NDArray[Any]
    for position, (_, feature) in enumerate(sorted(features.columns.items())):
        if isinstance(feature, Categorical):
            values = feature.codes
        elif isinstance(feature, MultiValued):
            counts = np.diff(feature.offsets)
            values = np.zeros((len(counts), max(1, counts.max(initial=0))), np.int64)
            values[np.arange(values.shape[1]) < counts[:, None]] = feature.codes
        elif isinstance(feature, Numeric | Dense):
            values = feature.values
        else:
            msg = f"no input of a graph is of kind {feature.name}"
            raise NotImplementedError(msg)
        inputs[f"feature_{position}"] = np.ascontiguousarray(values)
    return inputs


def tower_vectors(
    graph: Graph,
    config: "ModelConfig",
    weights: Weights,
    name: str,
    *,
    features: Features,
    idx: str,
) -> str:
    """[batch, width] what `Tower.forward` computes.

    Args:
        graph: gets the inputs and nodes.
        config: section `model`.
        weights: of the towers.
        name: user_tower or item_tower.
        features: that the tower reads.
        idx: [batch] int64 indices; below 0, the id adds nothing.

    Raises:
        ValueError: if the weights are not those of the configuration.
    """
    width, numbers, parts = config.width, [], []
    if f"{name}.id_embedding.weight" in weights:
        parts.append(rows_of(graph, weights, f"{name}.id_embedding.weight", width, idx))
    for position, (_, feature) in enumerate(sorted(features.columns.items())):
        key, own = f"feature_{position}", f"{name}.feature_embeddings.{position}.weight"
        if isinstance(feature, Numeric):
            numbers.append(column(graph, graph.input(key, np.float32, "batch")))
        elif isinstance(feature, Categorical):
            table = _weight(graph, weights, own, len(feature.categories) + 1, width)
            parts.append(graph.add("Gather", table, graph.input(key, np.int64, "batch")))
        elif isinstance(feature, MultiValued):
            table = _weight(graph, weights, own, len(feature.categories) + 1, width)
            codes = graph.input(key, np.int64, "batch", f"most_{position}")
            parts.append(_mean(graph, table, codes))
        elif isinstance(feature, Dense):
            values = graph.input(key, np.float32, "batch", feature.width)
            parts.append(_linear(graph, weights, own, (width, feature.width), values))
    if numbers:
        values = graph.add("Concat", *numbers, axis=1)
        parts.append(
            _linear(graph, weights, f"{name}.numeric.weight", (width, len(numbers)), values)
        )
    if not parts:  # a user tower that reads histories alone
        nobody = graph.add("Cast", column(graph, idx), to=1)
        return graph.add("Mul", nobody, graph.constant(np.zeros((1, width))))
    total = parts[0]
    for part in parts[1:]:
        total = graph.add("Add", total, part)
    return _hidden(graph, config, weights, name, total)


def _hidden(graph: Graph, config: "ModelConfig", weights: Weights, name: str, total: str) -> str:
    """The hidden layers, and the output layer after them."""
    widths = [config.width, *config.hidden, config.width] if config.hidden else []
    for depth, (narrow, wide) in enumerate(itertools.pairwise(widths)):
        total = graph.add("Relu", total) if depth else total
        total = _linear(graph, weights, f"{name}.layers.{depth}.weight", (wide, narrow), total)
        bias = _weight(graph, weights, f"{name}.layers.{depth}.bias", wide)
        total = graph.add("Add", total, bias)
    return total


def _weight(graph: Graph, weights: Weights, name: str, *shape: int) -> str:
    """A weight, as a constant of its name."""
    return graph.constant(weight_of(weights, name, *shape), name=name)


def _linear(graph: Graph, weights: Weights, name: str, shape: tuple[int, int], values: str) -> str:
    """[batch, shape[0]] of values [batch, shape[1]]."""
    return graph.add("Gemm", values, _weight(graph, weights, name, *shape), transB=1)


def rows_of(graph: Graph, weights: Weights, name: str, width: int, idx: str) -> str:
    """[batch, width] rows of a table; 0 for an index below 0."""
    zero = graph.constant(0, np.int64)
    table = _weight(graph, weights, name, len(weights[name]), width)
    rows = graph.add("Gather", table, graph.add("Max", idx, zero))
    given = column(graph, graph.add("GreaterOrEqual", idx, zero))
    return graph.add("Mul", rows, graph.add("Cast", given, to=1))


def _mean(graph: Graph, table: str, codes: str) -> str:
    """[batch, width] mean row of codes above 0; 0 without any."""
    given = graph.add("Cast", graph.add("Greater", codes, graph.constant(0, np.int64)), to=1)
    rows = graph.add("Gather", table, codes)
    total = graph.add("MatMul", graph.add("Unsqueeze", given, axes(graph, 1)), rows)
    count = graph.add("ReduceSum", given, axes(graph, 1), keepdims=1)
    total = graph.add("Squeeze", total, axes(graph, 1))
    return graph.add("Div", total, graph.add("Max", count, graph.constant(1.0)))


def column(graph: Graph, values: str) -> str:
    """[batch, 1] of values [batch]."""
    return graph.add("Unsqueeze", values, axes(graph, 1))


def axes(graph: Graph, *numbers: int) -> str:
    """Axes, as operators take them."""
    return graph.constant(list(numbers), np.int64)
