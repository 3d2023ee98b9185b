"""The towers as graphs of ONNX: what `twotower.training` computes, from inputs alone.

A tower of training looks side features and histories up in its training data. Here they are inputs,
of known users and items as of those that came later.

item_tower
    item_idx    [batch] int64; NEW: an item that came after training, which counts as the rarest one
                that has training rows
    feature_N   the item's side features, see `twotower.onnx.tower`
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

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twotower.common.arrays import Float32Array
from twotower.data.features import Features
from twotower.onnx.graph import Graph
from twotower.onnx.tower import axes, column, rows_of, tower_vectors
from twotower.onnx.transformer import Weights, last_states

if TYPE_CHECKING:
    from onnx import ModelProto

    from twotower.config.training import ModelConfig

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

    config: "ModelConfig"
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
    raw = tower_vectors(graph, config, weights, "item_tower", features=model.items, idx=idx)
    vectors = _finished(graph, config, raw)
    if config.popularity_weight:
        popularity = _of_items(graph, weights, "popularity", idx)
        vectors = graph.add("Concat", vectors, popularity, axis=1)
    graph.output("item_vector", vectors, np.float32, "batch", config.dim)
    if config.pools_history:
        if "history_embedding.weight" in weights:
            raw = rows_of(graph, weights, "history_embedding.weight", config.width, idx)
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
    vectors = tower_vectors(
        graph, model.config, model.weights, "user_tower", features=model.users, idx=idx
    )
    lowest = graph.constant(NEW if model.users.columns else 0, np.int64)
    known = column(graph, graph.add("GreaterOrEqual", idx, lowest))
    vectors = graph.add("Mul", vectors, graph.add("Cast", known, to=1))
    if history is not None:
        vectors = _with_history(graph, model, vectors, known, history)
    vectors = _finished(graph, model.config, vectors)
    if model.config.popularity_weight:
        zero = graph.constant(0.0)
        largest = graph.add("ReduceMax", graph.add("Abs", vectors), axes(graph, 1), keepdims=1)
        is_known = graph.add("Cast", graph.add("Greater", largest, zero), to=1)
        vectors = graph.add("Concat", vectors, is_known, axis=1)
    graph.output("user_vector", vectors, np.float32, "batch", model.config.dim)
    return graph.model()


def _with_history(graph: Graph, model: Model, own: str, known: str, history: str) -> str:
    """[batch, width] vectors of users with their histories, before they are normalised."""
    config, zero = model.config, graph.constant(0, np.int64)
    if model.read is None or model.read.shape[1] != config.width:
        msg = f"the vectors of histories must have {config.width} elements"
        raise ValueError(msg)
    table = graph.constant(model.read, name="history_vectors")
    if config.reads_sequence:
        states, lengths = last_states(graph, config, model.weights, (own, table, history))
        is_known = column(graph, graph.add("Greater", lengths, zero))
        if model.users.columns:
            is_known = graph.add("Or", is_known, known)
        return graph.add("Mul", states, graph.add("Cast", is_known, to=1))
    given = graph.add("Cast", graph.add("GreaterOrEqual", history, zero), to=1)
    count = graph.add("ReduceSum", given, axes(graph, 1), keepdims=1)
    # Items of a history are followed by padding alone: what is left after each are the later ones.
    later = graph.add("Sub", count, graph.add("CumSum", given, graph.constant(1, np.int64)))
    decay = graph.add("Pow", graph.constant(1 - model.history_decay), later)
    weight = graph.add("Unsqueeze", graph.add("Mul", decay, given), axes(graph, 1))
    rows = graph.add("Gather", table, graph.add("Max", history, zero))
    total = graph.add("Squeeze", graph.add("MatMul", weight, rows), axes(graph, 1))
    length = graph.add("Max", count, graph.constant(1.0))
    scale = graph.add("Pow", length, graph.constant(-model.user_exponent))
    return graph.add("Add", own, graph.add("Mul", total, scale))


def _finished(graph: Graph, config: "ModelConfig", vectors: str) -> str:
    """See `TwoTower.finish`."""
    if config.similarity != "cosine":
        return vectors
    length = graph.add("ReduceL2", vectors, axes(graph, 1), keepdims=1)
    is_zero = graph.add("Less", length, graph.constant(SHORTEST))
    length = graph.add("Where", is_zero, graph.constant(math.inf), length)
    return graph.add("Div", vectors, length)


def _of_items(graph: Graph, weights: Weights, name: str, idx: str) -> str:
    """[batch, 1] what a buffer says of items; of new ones, what it says of the rarest."""
    values = np.append(weights[name], rarest(name, weights[name])).astype(np.float32)
    table = graph.constant(values, name=name)
    last = graph.constant(len(values) - 1, np.int64)
    is_new = graph.add("Less", idx, graph.constant(0, np.int64))
    return column(graph, graph.add("Gather", table, graph.add("Where", is_new, last, idx)))


def rarest(name: str, values: NDArray[Any]) -> Any:
    """What a buffer has for the rarest item with training rows, see `twotower.new_items`."""
    if not len(values):
        return 0.0
    return values.max() if name == "history_item_pooling" else values.min()
