"""Each kind of tower as a graph computes what it computes in torch."""

from typing import Any

import numpy as np
import pytest
import torch

from tests.onnx.conftest import MODELS, NEEDS
from twotower.artifacts import Artifacts
from twotower.common.errors import ConfigError
from twotower.config.training import ModelConfig
from twotower.data.features import Categorical, Features, MultiValued, Numeric, Vector
from twotower.new_items.by_torch import encode_by_torch
from twotower.onnx import graph
from twotower.onnx.check import histories_of
from twotower.onnx.run import OnnxTowers, Session
from twotower.onnx.tower import feature_inputs
from twotower.onnx.towers import (
    HISTORY_ALONE,
    NEW,
    PADDING,
    Model,
    item_graph,
    user_graph,
)
from twotower.serving import query_vectors

onnx = pytest.importorskip("onnx", reason=NEEDS)
pytest.importorskip("onnxruntime", reason=NEEDS)

CLOSE = 1e-5
READING = [name for name, options in MODELS.items() if "user_tower" in options]


def test_known_items_have_their_vectors(model: Artifacts) -> None:
    towers, every = OnnxTowers(model), np.arange(24)
    inputs = {"item_idx": every, **feature_inputs(towers.model.items)}
    vectors, *read = towers.item_tower.of_all(inputs)
    assert vectors == pytest.approx(model.item_vecs, abs=CLOSE)
    if model.history_item_vecs is not None:
        assert read[0] == pytest.approx(model.history_item_vecs[:, : model.config.width], abs=CLOSE)
    assert len(read) == (model.config.pools_history or model.config.reads_sequence)


def test_new_items_have_the_vectors_of_torch(model: Artifacts) -> None:
    features = OnnxTowers(model).model.items
    vectors, _ = OnnxTowers(model).new_items(features, 24)
    if features.columns:
        expected, _ = encode_by_torch(model.towers, features, 24, model.config)
        assert vectors == pytest.approx(expected, abs=CLOSE)
    else:
        assert not vectors[:, : model.config.width].any()


def test_known_users_have_their_vectors(model: Artifacts) -> None:
    towers, users = OnnxTowers(model), np.arange(30)
    inputs = {"user_idx": users, **feature_inputs(towers.model.users)}
    if towers.model.read is not None:
        inputs["history"] = histories_of(model, users)
    [vectors] = towers.user_tower.of_all(inputs)
    if model.config.pools_history:  # of which training weighs each pair by its events
        own = model.towers.user_tower(torch.from_numpy(users)).detach().numpy()
        inputs["history"][:] = PADDING
        [vectors] = towers.user_tower.of_all(inputs)
        if model.config.similarity == "cosine":
            lengths = np.linalg.norm(own, axis=1, keepdims=True)
            own = own / np.where(lengths > 0, lengths, 1)
        assert vectors[:, : model.config.width] == pytest.approx(own, abs=CLOSE)
    else:
        assert vectors == pytest.approx(model.user_vecs, abs=CLOSE)


@pytest.mark.parametrize("model", READING, indirect=True)
def test_histories_alone_have_the_vectors_that_serving_gives_them(
    model: Artifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    towers = OnnxTowers(model)
    monkeypatch.setattr(query_vectors, "is_installed", lambda: False)
    histories = [np.array(items) for items in ([3], [7, 1, 2], [5, 4, 3, 2, 1], [], [0, 23])]
    padded = np.array([[*items, *[PADDING] * (6 - len(items))] for items in histories], np.int64)
    nobody = feature_inputs(towers.model.users.take(np.arange(5)))
    inputs = {"user_idx": np.full(5, HISTORY_ALONE), "history": padded, **nobody}
    [vectors] = towers.user_tower.of_all(inputs)
    histories = [items.astype(np.int64) for items in histories]
    expected = query_vectors.history_vectors(model, histories)
    assert vectors == pytest.approx(expected, abs=CLOSE)
    assert not vectors[3].any()


def test_the_graphs_are_valid_and_always_the_same(model: Artifacts) -> None:
    one, other = (OnnxTowers(model).user_graph().SerializeToString() for _ in range(2))
    assert one == other
    for each in (OnnxTowers(model).user_graph(), OnnxTowers(model).item_graph()):
        onnx.checker.check_model(each, full_check=True)
        assert each.producer_version == each.doc_string == ""


def test_a_pooled_history_by_hand() -> None:
    config = ModelConfig(dim=2, user_tower="history", similarity="dot", features=False)
    read = np.array([[1.0, 0.0], [0.0, 2.0]], np.float32)
    model = Model(config, {}, Features(), Features(), read, user_exponent=1.0, history_decay=0.5)
    history = [[0, 1, PADDING], [1, PADDING, PADDING], [PADDING] * 3]
    inputs: Any = {"user_idx": np.full(3, HISTORY_ALONE), "history": np.array(history)}
    # (0.5 · (1, 0) + 1 · (0, 2)) / 2; (0, 2) / 1; nothing.
    assert Session(user_graph(model))(inputs)[0].tolist() == [[0.25, 1.0], [0.0, 2.0], [0.0, 0.0]]


def test_side_features_by_hand() -> None:
    zeros, no_offsets = np.zeros(0, np.int64), np.zeros(1, np.int64)
    columns = {
        "a": Categorical(zeros, ("x",)),
        "b": MultiValued(zeros, no_offsets, ("x", "y")),
        "c": Numeric(np.zeros(0, np.float32), 0.0, 1.0),
        "d": Vector(np.zeros((0, 2), np.float32), normalise=False, scale=1.0),
    }
    weights = {
        "id_embedding": [[1000.0]],
        "feature_embeddings.0": [[1.0], [2.0]],
        "feature_embeddings.1": [[0.0], [10.0], [30.0]],
        "numeric": [[100.0]],
        "feature_embeddings.3": [[0.25, 0.5]],
    }
    arrays = {f"item_tower.{name}.weight": np.array(w, np.float32) for name, w in weights.items()}
    model = Model(ModelConfig(dim=1, similarity="dot"), arrays, Features(), Features(columns))
    inputs: Any = {
        "item_idx": np.array([0, NEW]),
        "feature_0": np.array([1, 0]),
        "feature_1": np.array([[1, 2], [0, 0]]),
        "feature_2": np.array([0.5, 0.0], np.float32),
        "feature_3": np.array([[1, 1], [0, 2]], np.float32),
    }
    # 1000 + 2 + (10 + 30) / 2 + 50 + 0.75, and of a new item 1 + 0 + 0 + 1.
    assert Session(item_graph(model))(inputs)[0].tolist() == [[1072.75], [2.0]]


def test_what_is_said_of_a_user_counts_only_if_it_is_given(sequence: Artifacts) -> None:
    towers = OnnxTowers(sequence)
    features = feature_inputs(towers.model.users.take(np.arange(3)))
    index = np.array([0, NEW, HISTORY_ALONE])
    inputs: Any = {"user_idx": index, "history": np.full((3, 1), PADDING), **features}
    known, new, nobody = towers.user_tower(inputs)[0]
    assert known.any()
    assert new.any()
    assert not nobody.any()


def test_a_table_that_is_too_large_for_a_file(
    sequence: Artifacts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "LARGEST", 1000)
    with pytest.raises(ConfigError, match="item_tower: a graph of ONNX has at most 2 GiB"):
        OnnxTowers(sequence).item_graph()
