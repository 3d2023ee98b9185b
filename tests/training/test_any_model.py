"""Every combination of choices trains, or is refused with a reason before anything is computed."""

from typing import Any

import numpy as np
import torch
from hypothesis import event, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from tests.conftest import catalogue_of, events, split_by_time
from twotower.config.training import ModelConfig, TrainConfig, check_start
from twotower.config.training_choices import LOSSES, SCHEDULES, STARTS
from twotower.training.fit import fit
from twotower.training.towers import load_towers

ROWS = split_by_time(events(seed=0))["train"]
CATALOGUE = catalogue_of(ROWS, features=True)
MODEL = st.fixed_dictionaries(
    {
        "dim": st.sampled_from([2, 5, 8]),
        "hidden": st.sampled_from([(), (), (), (4,)]),
        "dropout": st.sampled_from([0.0, 0.5]),
        "similarity": st.sampled_from(["cosine", "dot"]),
        "features": st.sampled_from([True, True, False]),
        "user_tower": st.sampled_from(["id", "history", "both", "sequence"]),
        "item_tower": st.sampled_from(["id", "features", "both"]),
        "sequence_length": st.sampled_from([1, 2, 50]),
        "sequence_blocks": st.sampled_from([1, 2]),
        "sequence_heads": st.sampled_from([1, 2]),
        "history_decay": st.sampled_from([0.0, 0.4]),
        "init": st.sampled_from(list(STARTS)),
        "popularity_weight": st.sampled_from([0.0, 0.3]),
    }
)
TRAIN = st.fixed_dictionaries(
    {
        "loss": st.sampled_from(list(LOSSES)),
        "epochs": st.sampled_from([2, 2, 2, 0]),
        "batch_size": st.sampled_from([1000, 32]),
        "logq": st.booleans(),
        "uniform_negatives": st.sampled_from([0, 3]),
        "frequency_negatives": st.sampled_from([0, 3]),
        "schedule": st.sampled_from(list(SCHEDULES)),
        "ema_decay": st.sampled_from([0.0, 0.5]),
    }
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(MODEL, TRAIN)
def test_any_model_trains_or_is_refused(model: dict[str, Any], train: dict[str, Any]) -> None:
    try:
        model_config, train_config = ModelConfig(**model), TrainConfig(**train)
        check_start(model_config, train_config)
    except (ValidationError, ValueError):
        event("refused")
        return
    fitted = fit(CATALOGUE, CATALOGUE.encode(ROWS), model_config, train_config, seed=1)
    event("trained")
    users, items = fitted.vectors()
    assert users.shape == (len(CATALOGUE.users), model["dim"])
    assert items.shape == (len(CATALOGUE.items), model["dim"])
    assert np.isfinite(users).all()
    assert np.isfinite(items).all()
    weights = {name: torch.clone(value) for name, value in fitted.state_dict().items()}
    again = load_towers(CATALOGUE, model_config, weights)
    assert np.array_equal(again.vectors()[0], users)
