"""The towers as graphs of ONNX: what `twotower.training` computes, from inputs alone.

A tower of training looks side features and histories up in its training data. Here they are inputs,
of known users and items as of those that came later.

item_tower
    item_idx    [batch] int64; NEW: an item that came after training, which counts as the rarest one
                that has training rows
    feature_N   the item's side features, see `feature_inputs`
    -> item_vector [batch, dim] float32, as in item_vecs.npy
    -> history_vector [batch, width] float32, what the user tower reads of the item; only if it
                reads histories

user_tower
    user_idx    [batch] int64; NEW: a user whose side features are given; HISTORY_ALONE: one of whom
                nothing else is known
    history     [batch, longest] int64 distinct items of each user, the latest last, then PADDING;
                only if the tower reads histories
    feature_N   the user's side features
    -> user_vector [batch, dim] float32, as in user_vecs.npy; 0 where nothing is known
"""

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twotower.common.arrays import Float32Array
from twotower.config.training import ModelConfig
from twotower.data.categories import Categorical, MultiValued
from twotower.data.dense import Dense
from twotower.data.features import Features, Numeric
from twotower.onnx.graph import Graph
from twotower.onnx.transformer import Weights, last_states, weight_of

if TYPE_CHECKING:
    from onnx import ModelProto

NEW, HISTORY_ALONE, PADDING = -1, -2, -1
SHORTEST = 1e-12
"""A vector that is shorter counts as 0, as in training."""


@dataclass(frozen=True)
class Model:
    """What the graphs are made of.

    Attributes:
        config: section `model`.
        weights: of the towers, as `Artifacts.weights`.
        users: side features of the users; only their kinds and widths count.
        items: likewise of the items.
        read: [num_items, width] what the user tower reads of each item in a history; None if it
            reads none.
        user_exponent: of a pooled history: its sum is divided by its length to this power.
        history_decay: share of its weight that an item loses with each later one.
    """

    config: ModelConfig
    weights: Weights
    users: Features
    items: Features
    read: Float32Array | None = None
    user_exponent: float = 0.0
    history_decay: float = 0.0


def item_graph(model: Model) -> "ModelProto":
    """The item tower.

    Raises:
        ConfigError: if the tables are too large for a file.
        ValueError: if the weights are not those of the configuration.
    """
    graph = Graph("item_tower")
    config, weights = model.config, model.weights
    idx = graph.input("item_idx", np.int64, "batch")
    raw = _tower(graph, model, "item_tower", model.items, idx)
    vectors = _finished(graph, config, raw)
    if config.popularity_weight:
        popularity = _of_items(graph, weights, "popularity", idx)
        vectors = graph.add("Concat", vectors, popularity, axis=1)
    graph.output("item_vector", vectors, np.float32, "batch", config.dim)
    if config.pools_history:
        if "history_embedding.weight" in weights:
            raw = _rows(graph, weights, "history_embedding.weight", config.width, idx)
        raw = graph.add("Mul", raw, _of_items(graph, weights, "history_item_pooling", idx))
    if config.pools_history or config.reads_sequence:
        graph.output("history_vector", raw, np.float32, "batch", config.width)
    return graph.model()


def user_graph(model: Model) -> "ModelProto":
    """The user tower; see `item_graph`."""
    graph = Graph("user_tower")
    idx = graph.input("user_idx", np.int64, "batch")
    history = None
    if model.read is not None:
        history = graph.input("history", np.int64, "batch", "longest")
    vectors = _tower(graph, model, "user_tower", model.users, idx)
    lowest = graph.constant(NEW if model.users.columns else 0, np.int64)
    known = _column(graph, graph.add("GreaterOrEqual", idx, lowest))
    vectors = graph.add("Mul", vectors, graph.add("Cast", known, to=1))
    if history is not None:
        vectors = _with_history(graph, model, vectors, known, history)
    vectors = _finished(graph, model.config, vectors)
    if model.config.popularity_weight:
        zero = graph.constant(0.0)
        largest = graph.add("ReduceMax", graph.add("Abs", vectors), _axes(graph, 1), keepdims=1)
        is_known = graph.add("Cast", graph.add("Greater", largest, zero), to=1)
        vectors = graph.add("Concat", vectors, is_known, axis=1)
    graph.output("user_vector", vectors, np.float32, "batch", model.config.dim)
    return graph.model()


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
    for position, (_, column) in enumerate(sorted(features.columns.items())):
        if isinstance(column, Categorical):
            values = column.codes
        elif isinstance(column, MultiValued):
            counts = np.diff(column.offsets)
            values = np.zeros((len(counts), max(1, counts.max(initial=0))), np.int64)
            values[np.arange(values.shape[1]) < counts[:, None]] = column.codes
        elif isinstance(column, Numeric | Dense):
            values = column.values
        else:
            msg = f"no input of a graph is of kind {column.name}"
            raise NotImplementedError(msg)
        inputs[f"feature_{position}"] = np.ascontiguousarray(values)
    return inputs


def _tower(graph: Graph, model: Model, name: str, features: Features, idx: str) -> str:
    """[batch, width] what `Tower.forward` computes."""
    width, weights = model.config.width, model.weights
    parts, numbers = [], []
    if f"{name}.id_embedding.weight" in weights:
        parts.append(_rows(graph, weights, f"{name}.id_embedding.weight", width, idx))
    for position, (_, column) in enumerate(sorted(features.columns.items())):
        key, own = f"feature_{position}", f"{name}.feature_embeddings.{position}.weight"
        if isinstance(column, Numeric):
            numbers.append(_column(graph, graph.input(key, np.float32, "batch")))
        elif isinstance(column, Categorical):
            table = _weight(graph, weights, own, len(column.categories) + 1, width)
            parts.append(graph.add("Gather", table, graph.input(key, np.int64, "batch")))
        elif isinstance(column, MultiValued):
            table = _weight(graph, weights, own, len(column.categories) + 1, width)
            codes = graph.input(key, np.int64, "batch", f"most_{position}")
            parts.append(_mean(graph, table, codes))
        elif isinstance(column, Dense):
            values = graph.input(key, np.float32, "batch", column.width)
            parts.append(_linear(graph, weights, own, (width, column.width), values))
    if numbers:
        values = graph.add("Concat", *numbers, axis=1)
        own = f"{name}.numeric.weight"
        parts.append(_linear(graph, weights, own, (width, len(numbers)), values))
    if not parts:  # a user tower that reads histories alone
        nobody = graph.add("Cast", _column(graph, idx), to=1)
        return graph.add("Mul", nobody, graph.constant(np.zeros((1, width))))
    total = parts[0]
    for part in parts[1:]:
        total = graph.add("Add", total, part)
    return _hidden(graph, model, name, total)


def _hidden(graph: Graph, model: Model, name: str, total: str) -> str:
    """The hidden layers, and the output layer after them."""
    hidden, width = model.config.hidden, model.config.width
    widths = [width, *hidden, width] if hidden else []
    for depth, (narrow, wide) in enumerate(itertools.pairwise(widths)):
        total = graph.add("Relu", total) if depth else total
        key = f"{name}.layers.{depth}"
        total = _linear(graph, model.weights, f"{key}.weight", (wide, narrow), total)
        total = graph.add("Add", total, _weight(graph, model.weights, f"{key}.bias", wide))
    return total


def _with_history(graph: Graph, model: Model, own: str, known: str, history: str) -> str:
    """[batch, width] vectors of users with their histories, before they are normalised."""
    config, zero = model.config, graph.constant(0, np.int64)
    if model.read is None or model.read.shape[1] != config.width:
        msg = f"the vectors of histories must have {config.width} elements"
        raise ValueError(msg)
    table = graph.constant(model.read, name="history_vectors")
    if config.reads_sequence:
        states, lengths = last_states(graph, config, model.weights, (own, table, history))
        is_known = _column(graph, graph.add("Greater", lengths, zero))
        if model.users.columns:
            is_known = graph.add("Or", is_known, known)
        return graph.add("Mul", states, graph.add("Cast", is_known, to=1))
    given = graph.add("Cast", graph.add("GreaterOrEqual", history, zero), to=1)
    count = graph.add("ReduceSum", given, _axes(graph, 1), keepdims=1)
    # Items of a history are followed by padding alone: what is left after each are the later ones.
    later = graph.add("Sub", count, graph.add("CumSum", given, graph.constant(1, np.int64)))
    decay = graph.add("Pow", graph.constant(1 - model.history_decay), later)
    weight = graph.add("Unsqueeze", graph.add("Mul", decay, given), _axes(graph, 1))
    rows = graph.add("Gather", table, graph.add("Max", history, zero))
    total = graph.add("Squeeze", graph.add("MatMul", weight, rows), _axes(graph, 1))
    length = graph.add("Max", count, graph.constant(1.0))
    scale = graph.add("Pow", length, graph.constant(-model.user_exponent))
    return graph.add("Add", own, graph.add("Mul", total, scale))


def _finished(graph: Graph, config: ModelConfig, vectors: str) -> str:
    """See `TwoTower.finish`."""
    if config.similarity != "cosine":
        return vectors
    length = graph.add("ReduceL2", vectors, _axes(graph, 1), keepdims=1)
    is_zero = graph.add("Less", length, graph.constant(SHORTEST))
    length = graph.add("Where", is_zero, graph.constant(math.inf), length)
    return graph.add("Div", vectors, length)


def _weight(graph: Graph, weights: Weights, name: str, *shape: int) -> str:
    """A weight, as a constant of its name."""
    return graph.constant(weight_of(weights, name, *shape), name=name)


def _linear(graph: Graph, weights: Weights, name: str, shape: tuple[int, int], values: str) -> str:
    """[batch, shape[0]] of values [batch, shape[1]]."""
    return graph.add("Gemm", values, _weight(graph, weights, name, *shape), transB=1)


def _rows(graph: Graph, weights: Weights, name: str, width: int, idx: str) -> str:
    """[batch, width] rows of a table; 0 for an index below 0."""
    zero = graph.constant(0, np.int64)
    table = _weight(graph, weights, name, len(weights[name]), width)
    rows = graph.add("Gather", table, graph.add("Max", idx, zero))
    given = _column(graph, graph.add("GreaterOrEqual", idx, zero))
    return graph.add("Mul", rows, graph.add("Cast", given, to=1))


def _mean(graph: Graph, table: str, codes: str) -> str:
    """[batch, width] mean row of codes above 0; 0 without any."""
    given = graph.add("Cast", graph.add("Greater", codes, graph.constant(0, np.int64)), to=1)
    rows = graph.add("Gather", table, codes)
    total = graph.add("MatMul", graph.add("Unsqueeze", given, _axes(graph, 1)), rows)
    count = graph.add("ReduceSum", given, _axes(graph, 1), keepdims=1)
    total = graph.add("Squeeze", total, _axes(graph, 1))
    return graph.add("Div", total, graph.add("Max", count, graph.constant(1.0)))


def _of_items(graph: Graph, weights: Weights, name: str, idx: str) -> str:
    """[batch, 1] what a buffer says of items; of new ones, what it says of the rarest."""
    values = np.append(weights[name], rarest(name, weights[name])).astype(np.float32)
    table = graph.constant(values, name=name)
    last = graph.constant(len(values) - 1, np.int64)
    is_new = graph.add("Less", idx, graph.constant(0, np.int64))
    return _column(graph, graph.add("Gather", table, graph.add("Where", is_new, last, idx)))


def rarest(name: str, values: NDArray[Any]) -> Any:
    """What a buffer has for the rarest item with training rows, see `twotower.new_items`."""
    if not len(values):
        return 0.0
    return values.max() if name == "history_item_pooling" else values.min()


def _column(graph: Graph, values: str) -> str:
    """[batch, 1] of values [batch]."""
    return graph.add("Unsqueeze", values, _axes(graph, 1))


def _axes(graph: Graph, *axes: int) -> str:
    return graph.constant(list(axes), np.int64)
