"""What features say of items without rows, against a penalised regression by hand."""

import numpy as np
import pytest
import scipy.sparse
import torch

from tests.conftest import catalogue_of, events
from twotower.config.training import ModelConfig
from twotower.training import content
from twotower.training.content import PENALTIES, fit_encoders
from twotower.training.tower import Tower

FEATURES = catalogue_of(events(seed=1), features=True).items.features
NUM_ITEMS = len(FEATURES.columns["price"].values)


def tower() -> Tower:
    return Tower(NUM_ITEMS, FEATURES, ModelConfig(dim=2), use_id=False)


def design(model: Tower) -> np.ndarray:
    return scipy.sparse.hstack([encoder.inputs() for encoder in model.encoders()]).toarray()


def vectors_of(model: Tower) -> np.ndarray:
    return model(torch.arange(NUM_ITEMS)).detach().numpy()


def test_the_penalty_predicts_each_item_best_without_itself() -> None:
    model = tower()
    rng = np.random.default_rng(0)
    columns = design(model)
    vectors = columns @ rng.normal(size=(columns.shape[1], 2)) + rng.normal(size=(NUM_ITEMS, 2))
    known = np.arange(NUM_ITEMS) % 5 > 0

    def solved(rows: np.ndarray, penalty: float) -> np.ndarray:
        gram = columns[rows].T @ columns[rows] + penalty * np.eye(columns.shape[1])
        return np.linalg.solve(gram, columns[rows].T @ vectors[rows])

    def error(penalty: float) -> float:
        places = np.flatnonzero(known)
        left_out = [solved(places[places != i], penalty) for i in places]
        missing = [vectors[i] - columns[i] @ w for i, w in zip(places, left_out, strict=True)]
        return float(np.square(missing).sum())

    best = min(PENALTIES, key=error)
    fit_encoders(model.encoders(), vectors.astype(np.float32), known, threads=1)
    expected = columns @ solved(known, best)
    assert vectors_of(model) == pytest.approx(expected, abs=1e-5)


def test_vectors_that_features_determine_come_out_for_items_that_were_not_learned_from() -> None:
    model, colours = tower(), FEATURES.columns["colour"].codes
    vectors = np.eye(4, 2, dtype=np.float32)[colours]
    known = np.arange(NUM_ITEMS) >= 5
    fit_encoders(model.encoders(), vectors, known, threads=1)
    assert np.argmax(vectors_of(model)[:2], axis=1).tolist() == [0, 1]


def test_a_category_of_no_known_item_adds_nothing() -> None:
    model, colours = tower(), FEATURES.columns["colour"].codes
    fit_encoders(model.encoders(), np.ones((NUM_ITEMS, 2), np.float32), colours != 2, threads=1)
    weight = model.encoders()[0].weight
    assert not weight[2].any()
    assert weight[[0, 1, 3]].all()


def test_beyond_the_limit_only_the_columns_of_most_items_are_used(monkeypatch) -> None:
    monkeypatch.setattr(content, "MAX_COLUMNS", 1)
    model = tower()
    vectors = np.arange(2 * NUM_ITEMS, dtype=np.float32).reshape(NUM_ITEMS, 2)
    fit_encoders(model.encoders(), vectors, np.ones(NUM_ITEMS, bool), threads=1)
    used = [(encoder.weight != 0).any().item() for encoder in model.encoders()]
    assert used == [False, False, True]  # the price: every item has one


@pytest.mark.parametrize("count", [0, 1])
def test_nothing_is_learned_from_fewer_than_two_items(count) -> None:
    model = tower()
    known = np.arange(NUM_ITEMS) < count
    fit_encoders(model.encoders(), np.ones((NUM_ITEMS, 2), np.float32), known, threads=1)
    assert not vectors_of(model).any()
