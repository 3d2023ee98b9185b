"""Which hyperparameters do anything; tests/search/proposals/test_repeats.py trains to see it."""

from dataclasses import replace
from typing import Any

import pytest

from twotower.config import Config, parse_config
from twotower.config.effects import ANY_DATA, EFFECTS, effective, without_effect
from twotower.config.hyperparameters import hyperparameters

ALWAYS = {"epochs", "hidden", "init", "popularity_weight", "similarity"}
DEFAULT = Config()


def found(data: Any = ANY_DATA, **values: Any) -> dict[str, Any]:
    model = {k: v for k, v in values.items() if k in type(DEFAULT.model).model_fields}
    train = {k: v for k, v in values.items() if k in type(DEFAULT.train).model_fields}
    hpo = {"include_defaults": False}
    settings = parse_config({"model": model, "train": train, "hpo": hpo})
    return effective(settings.model, settings.train, data)


def test_every_hyperparameter_has_a_row_or_always_an_effect() -> None:
    names = hyperparameters(DEFAULT.model, DEFAULT.train).keys()
    assert EFFECTS.keys() == names - ALWAYS


@pytest.mark.parametrize(
    ("changes", "without"),
    [
        ({}, {"history_decay", "ridge_penalty", "user_exponent", "singular_exponent"}),
        ({"similarity": "dot"}, {"temperature"}),
        ({"loss": "mse"}, {"temperature", "logq", "uniform_negatives"}),
        ({"loss": "full_softmax"}, {"logq", "uniform_negatives"}),
        (
            {"init": "spectral", "epochs": 0},
            {"lr", "loss", "batch_size", "schedule", "temperature"},
        ),
        ({"init": "ridge", "epochs": 0}, {"popularity_exponent", "features", "dropout"}),
        (
            {"init": "ridge", "epochs": 0, "similarity": "dot", "item_tower": "id"},
            {"features"},
        ),
    ],
)
def test_what_does_nothing_given_the_others(changes: dict[str, Any], without: set[str]) -> None:
    assert without.isdisjoint(found(**changes))


@pytest.mark.parametrize(
    ("changes", "present"),
    [
        ({}, {"temperature", "lr", "features", "logq"}),
        ({"similarity": "cosine", "loss": "mse", "popularity_weight": 0.1}, {"temperature"}),
        ({"init": "ridge"}, {"popularity_exponent", "ridge_penalty", "lr"}),
        (
            {"init": "ridge", "epochs": 0, "popularity_weight": 0.1},
            {"popularity_exponent", "temperature"},
        ),
        ({"init": "spectral", "epochs": 0}, {"history_decay", "user_exponent"}),
        ({"user_tower": "history"}, {"history_decay", "popularity_exponent"}),
        ({"init": "ridge", "epochs": 0, "similarity": "dot"}, {"features"}),
    ],
)
def test_what_does_something(changes: dict[str, Any], present: set[str]) -> None:
    assert present <= found(**changes).keys()


def test_dimensions_beyond_the_rank_of_the_data_are_the_same_model() -> None:
    small = replace(ANY_DATA, num_users=100, num_items=40)
    closed = {"init": "spectral", "epochs": 0}
    assert found(small, dim=39, **closed)["dim"] == 39
    assert found(small, dim=64, **closed)["dim"] == found(small, dim=40, **closed)["dim"] == 40
    # The popularity term takes one of them.
    assert found(small, dim=64, popularity_weight=0.1, **closed)["dim"] == 41
    assert found(small, dim=64, init="spectral")["dim"] == 64


def test_data_decide_too() -> None:
    bare = replace(ANY_DATA, num_rows=200, has_order=False, item_features=False)
    assert without_effect(ANY_DATA) == {}
    assert without_effect(bare) == {
        "history_decay": "no user has events of different times",
        "history_half_life": "no user has events of different times",
    }
    assert "features" in without_effect(replace(bare, user_features=False))
    assert found(bare, item_tower="both")["item_tower"] == "id"
    assert "history_decay" not in found(bare, user_tower="history", history_decay=0.2)
    assert found(bare, batch_size=256)["batch_size"] == 200
    assert found(bare, batch_size=256, uniform_negatives=8)["batch_size"] == 256
