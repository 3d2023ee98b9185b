"""A shop of twelve days, and a backtest of it."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.conftest import events
from twotower.backtest.run import backtest
from twotower.common.units import DAY
from twotower.config import Config, parse_config

FIRST = 1_700_000_000
"""Seconds since 1970 of the first day."""
EVERY, FOLDS = 2 * DAY, 3
FAST: dict[str, Any] = {
    "model": {"dim": 4},
    "train": {"epochs": 1, "batch_size": 64, "device": "cpu"},
    "hpo": {
        "n_trials": 2,
        "workers": 0,
        "search_space": {"lr": {"type": "float", "low": 1e-3, "high": 0.1, "log": True}},
    },
    "refit": {"seeds": 1},
}


def write_shop(folder: Path) -> None:
    """Events over twelve days, and a cluster for every two users."""
    folder.mkdir(parents=True)
    rows = events(seed=0, num_users=36, per_user=18)
    rng = np.random.default_rng(1)
    rows["timestamp"] = FIRST + np.sort(rng.integers(0, 12 * DAY, len(rows)))[
        rng.permutation(len(rows))
    ]  # fmt: skip
    rows[["user_id", "item_id", "timestamp"]].to_csv(folder / "interactions.csv", index=False)
    users = np.sort(rows["user_id"].unique())
    table = pd.DataFrame({"user_id": users, "home": [f"h{user // 2}" for user in users]})
    table.to_csv(folder / "users.csv", index=False)


def config_of(folder: Path, **sections: Any) -> Config:
    return parse_config({**FAST, "data": {"root": str(folder)}, **sections})


@pytest.fixture(scope="session")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The raw files; not to be changed."""
    folder = tmp_path_factory.mktemp("backtest") / "shop"
    write_shop(folder)
    return folder


@pytest.fixture(scope="session")
def done(raw: Path) -> tuple[Path, dict[str, Any]]:
    """The repository that keeps the folds, not to be changed, and what was found."""
    root = raw.parent / "repository"
    config = config_of(raw, evaluate={"cluster": "home"})
    return root, backtest(config, EVERY, FOLDS, root)


@pytest.fixture
def kept(done: tuple[Path, dict[str, Any]], tmp_path: Path) -> Path:
    """A copy of that repository, to be changed."""
    return Path(shutil.copytree(done[0], tmp_path / "repository"))
