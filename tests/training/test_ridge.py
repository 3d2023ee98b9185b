from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.conftest import catalogue_of, events, split_by_time
from twotower.config.training import ModelConfig, TrainConfig
from twotower.training import ridge
from twotower.training.fit import fit
from twotower.training.history import History
from twotower.training.ridge import ridge_items
from twotower.training.towers import load_towers

TRAIN = split_by_time(events(seed=0))["train"]
CATALOGUE = catalogue_of(TRAIN, features=True)
ROWS = CATALOGUE.encode(TRAIN)
NUM_ITEMS = len(CATALOGUE.items)
CLOSED_FORM = TrainConfig(epochs=0)
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
IN_HISTORY = np.random.default_rng(0).normal(size=(NUM_ITEMS, 6)).astype(np.float32)


def config_of(**model) -> ModelConfig:
    return ModelConfig.model_validate(
        {"init": "ridge", "similarity": "dot", "dim": 6, "user_exponent": 0.4} | model
    )


def history_of(config: ModelConfig) -> History:
    return History.of(ROWS, len(CATALOGUE.users), NUM_ITEMS, config)


def regressions(config: ModelConfig) -> np.ndarray:
    """[num_items, 6] the regression of each item by itself, on users without it."""
    weight = history_of(config).matrix().toarray().astype(np.float64)
    exponent = config.item_exponent + config.popularity_exponent
    pooling = weight / weight.sum(axis=1)[:, None] ** 0.4 / weight.sum(axis=0) ** exponent
    in_history = IN_HISTORY.astype(np.float64)
    users = pooling @ in_history
    penalty = config.ridge_penalty * np.square(users).sum() / 6
    solutions = []
    for item in range(NUM_ITEMS):
        without = users - np.outer(pooling[:, item], in_history[item])
        gram = without.T @ without + penalty * np.eye(6)
        solutions.append(np.linalg.solve(gram, without.T @ weight[:, item]))
    return np.array(solutions)


def as_on_a_gpu(in_history, target, pooling, ridge_penalty, _threads) -> np.ndarray:
    return ridge.solve_on_device(in_history, target, pooling, ridge_penalty, DEVICE)


@pytest.mark.parametrize("penalty", [0.01, 1.0])
@pytest.mark.parametrize("block", [5, 4096])
@pytest.mark.parametrize("solve", [ridge._solve_on_cpu, as_on_a_gpu])
def test_each_item_is_regressed_on_users_without_it(monkeypatch, penalty, block, solve) -> None:
    monkeypatch.setattr(ridge, "ITEM_BLOCK", block)
    monkeypatch.setattr(ridge, "_solve_on_cpu", solve)
    # What a user did last weighs no more here.
    config = config_of(ridge_penalty=penalty, history_decay=0.3, history_half_life=10)
    actual = ridge_items(IN_HISTORY, history_of(config), config, threads=1)
    expected = regressions(config)
    ratio = np.vdot(actual, expected) / np.vdot(expected, expected)  # vectors have unit mean length
    assert np.linalg.norm(actual, axis=1).mean() == pytest.approx(1, rel=1e-5)
    assert np.allclose(actual, ratio * expected, atol=1e-5)


def test_dimensions_of_zeros_change_nothing() -> None:
    """Those past the rank of the data."""
    config = config_of()
    narrow = ridge_items(IN_HISTORY, history_of(config), config, threads=1)
    padded = np.pad(IN_HISTORY, ((0, 0), (0, 4)))
    wide = ridge_items(padded, history_of(config), config, threads=1)
    assert np.allclose(wide[:, :6], narrow, atol=1e-6)
    assert not wide[:, 6:].any()


@pytest.mark.parametrize("scale", [1e-20, 1e28])
def test_the_scale_of_weights_changes_nothing(scale) -> None:
    config = config_of()
    expected = ridge_items(IN_HISTORY, history_of(config), config, threads=1)
    scaled = replace(ROWS, weight=(ROWS.weight * scale).astype(np.float32))
    history = History.of(scaled, len(CATALOGUE.users), NUM_ITEMS, config)
    assert np.allclose(ridge_items(IN_HISTORY, history, config, threads=1), expected, atol=1e-5)


def test_users_are_those_of_the_decomposition() -> None:
    settings = {"user_tower": "history", "history_decay": 0.2}
    users, items = fit(CATALOGUE, ROWS, config_of(**settings), CLOSED_FORM, seed=1).vectors()
    spectral = config_of(**settings, init="spectral")
    same_users, other_items = fit(CATALOGUE, ROWS, spectral, CLOSED_FORM, seed=1).vectors()
    assert np.allclose(users, same_users, atol=1e-6)
    assert not np.allclose(items, other_items, atol=0.1)


def test_ids_start_where_histories_pool_to() -> None:
    vectors = [
        fit(CATALOGUE, ROWS, config_of(user_tower=tower), CLOSED_FORM, seed=1).vectors()
        for tower in ("id", "history", "both")
    ]
    ratio = vectors[0][0][0, 0] / vectors[1][0][0, 0]
    assert np.allclose(vectors[0][0], ratio * vectors[1][0], atol=1e-5)
    assert np.array_equal(vectors[1][0], vectors[2][0])
    assert np.array_equal(vectors[0][1], vectors[1][1])


def test_an_item_without_rows_or_features_has_no_vector() -> None:
    rows = TRAIN[TRAIN["item_id"] != TRAIN["item_id"].iloc[0]]
    missing = CATALOGUE.items.vocabulary.encode(TRAIN["item_id"].head(1))[0]
    interactions = CATALOGUE.encode(rows)
    bare = config_of(features=False)
    _, items = fit(CATALOGUE, interactions, bare, CLOSED_FORM, seed=1).vectors()
    assert not items[missing].any()
    assert np.isfinite(items).all()


def test_training_moves_both_tables() -> None:
    config = config_of(user_tower="history")
    start = fit(CATALOGUE, ROWS, config, CLOSED_FORM, seed=1)
    model = fit(CATALOGUE, ROWS, config, TrainConfig(epochs=2, batch_size=64), seed=1)
    for name in ("history_embedding.weight", "item_tower.id_embedding.weight"):
        assert not torch.equal(model.state_dict()[name], start.state_dict()[name])
    again = load_towers(CATALOGUE, config, model.state_dict())
    for actual, expected in zip(again.vectors(), model.vectors(), strict=True):
        assert np.array_equal(actual, expected)
