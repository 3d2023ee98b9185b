"""Models of each kind of tower, with side features of each kind."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import catalogue_of, events
from twotower.artifacts import Artifacts, load_artifacts, write_artifacts
from twotower.config.training import ModelConfig, TrainConfig
from twotower.data.features import Features, Vector
from twotower.data.prepared import Catalogue
from twotower.training.fit import fit

MODELS: dict[str, dict[str, Any]] = {
    "id": {"features": False},
    "features": {"similarity": "cosine", "item_tower": "features"},
    "hidden": {"hidden": [6], "popularity_weight": 0.5},
    "history": {"user_tower": "history", "similarity": "cosine", "history_decay": 0.3},
    "both": {"user_tower": "both", "popularity_weight": 0.5, "hidden": [6], "user_exponent": 0.3},
    "table": {"user_tower": "both", "init": "ridge", "features": False},
    "sequence": {"user_tower": "sequence", "sequence_heads": 2, "sequence_blocks": 2},
    "short": {
        "user_tower": "sequence",
        "sequence_length": 3,
        "similarity": "cosine",
        "features": False,
        "popularity_weight": 0.5,
        "dim": 9,
    },
}


def catalogue_with_features() -> Catalogue:
    """30 users and 24 items, of which three have no tag; both with one feature of each kind."""
    found = catalogue_of(events(seed=0), features=True)
    columns = dict(found.items.features.columns)
    tags: Any = columns["tags"]
    codes = np.concatenate([[1, 2, 3], np.arange(21) % 3 + 1])
    offsets = np.concatenate([[0, 0, 0, 0], np.arange(3, 22) + 2, [23, 24]])
    columns["tags"] = replace(tags, codes=codes, offsets=offsets)
    vectors = np.random.default_rng(0).normal(size=(24, 3)).astype(np.float32)
    columns["picture"] = Vector(vectors, normalise=False, scale=1.0)
    items = Features(columns)
    users = items.concat(items.take(np.arange(6)))
    return Catalogue(replace(found.users, features=users), replace(found.items, features=items))


NEEDS = 'needs pip install "twotower[onnx]"'


@pytest.fixture(scope="session", params=MODELS)
def model(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Artifacts:
    """A trained model of each kind; not to be changed."""
    return trained(tmp_path_factory.mktemp("onnx") / "m", **MODELS[request.param])


@pytest.fixture(scope="session")
def sequence(tmp_path_factory: Any) -> Artifacts:
    """The one with a sequence tower and features."""
    return trained(tmp_path_factory.mktemp("onnx") / "m", **MODELS["sequence"])


def trained(folder: Path, index: str | None = None, **options: Any) -> Artifacts:
    """A model that was trained for an epoch."""
    catalogue, frame = catalogue_with_features(), events(seed=0)
    rows = catalogue.encode(frame[frame["item_id"] != 1005])
    config = ModelConfig.model_validate({"dim": 8, **options})
    towers = fit(catalogue, rows, config, TrainConfig(epochs=1, lr=0.05, batch_size=64), seed=1)
    meta = {"model": config.model_dump(mode="json")}
    write_artifacts(folder, towers, catalogue, rows, meta, index=index)
    return load_artifacts(folder)
