"""A model that continues from another, from its files to those of refit."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.conftest import events, split_by_time, write_prepared
from tests.refit.test_refit import config, digests
from twotower.artifacts import load_artifacts
from twotower.common.errors import ConfigError
from twotower.config import Config
from twotower.finetuning.record import START
from twotower.finetuning.start import StartModel
from twotower.finetuning.summary import finetuning_lines
from twotower.refit import RefitOutputs, refit
from twotower.registry import start_from
from twotower.registry.start_from import forget_start, start_from_folder

TRAINED = {"dim": 16, "lr": 0.03, "epochs": 6, "batch_size": 64, "user_tower": "history"}
CLOSED = {"dim": 8, "init": "ridge", "similarity": "dot", "user_tower": "history", "epochs": 0}
SCORED = config(refit={"seeds": 1, "baseline_budget": {"minutes": 1e-9}})
UNSCORED = config(refit={"score_test": False})
Chosen = Callable[[dict[str, Any]], Path]


def later() -> dict[str, pd.DataFrame]:
    """Six more rows of each user, and items that came since."""
    first = events(seed=0)
    more = events(seed=1, per_user=6)
    more["timestamp"] += 1000
    more.loc[::5, "item_id"] += 100
    rows = pd.concat([first, more]).sort_values(["user_id", "timestamp"], kind="stable")
    return split_by_time(rows.reset_index(drop=True))


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_prepared(tmp_path_factory.mktemp("grown"), later())


@pytest.fixture
def choose(tmp_path: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch) -> Chosen:
    """Trains a model on the earlier data and makes it the start model, without DVC."""
    monkeypatch.setattr(start_from, "run_program", lambda *_: None)

    def chosen(params: dict[str, Any]) -> Path:
        outputs = RefitOutputs(tmp_path / "first", tmp_path / "first.json")
        refit(UNSCORED, {"best_params": params}, prepared, outputs)
        start_from_folder(tmp_path / "first", prepared, None, tmp_path / START)
        return tmp_path / START

    return chosen


def run(
    folder: Path, prepared: Path, start: StartModel | None, out: str, settings: Config = UNSCORED
) -> dict[str, Any]:
    outputs = RefitOutputs(folder / out / "model", folder / out / "test.json")
    search = {"best_params": {"dim": 4}, "best_trial": {"value": 0.9, "number": 3}}
    return refit(settings, search, prepared, outputs, start=start).metrics


def test_a_model_continues_and_the_bytes_are_the_same_again(
    tmp_path: Path, grown: Path, choose: Chosen
) -> None:
    start = StartModel.open(choose(TRAINED))
    assert start is not None
    assert start.record.epochs == 2  # a third of 6
    run(tmp_path, grown, start, "once")
    run(tmp_path, grown, StartModel.open(tmp_path / START), "again")
    assert digests(tmp_path / "once") == digests(tmp_path / "again")
    meta = load_artifacts(tmp_path / "once" / "model").meta
    assert meta["best_params"] == start.record.finetuned
    anew = {"epochs": 6, "last_epoch": None, "schedule": "constant"}
    assert meta["start"] == {"model": start.record.model, "version": None, "anew": anew}
    # In a chain, neither the comparison nor the share of epochs gets weaker from link to link.
    record = start_from_folder(tmp_path / "once" / "model", grown, None, tmp_path / "next")
    assert record.epochs == 2  # a third of 6, not of 2
    assert record.params == start.record.params


@pytest.mark.slow
def test_it_is_compared_with_the_start_model_and_with_training_anew(
    tmp_path: Path, grown: Path, choose: Chosen
) -> None:
    metrics = run(tmp_path, grown, StartModel.open(choose(TRAINED)), "scored", SCORED)
    found = metrics["finetuning"]
    assert found["against_anew"]["finetuned"] == metrics["optimized"]["recall_at_10"]
    assert found["drift"]["items"] == 24
    assert found["drift"]["added"] > 0
    assert 0.5 < found["drift"]["cosine_median"] < 1
    lines = list(finetuning_lines(metrics))
    assert lines[0].startswith("finetuned against trained anew: recall_at_10 0.")
    assert lines[1].startswith("items: 24 known to the start model, ")


def test_a_closed_form_is_computed_anew_and_turned(
    tmp_path: Path, prepared: Path, grown: Path, choose: Chosen
) -> None:
    start = StartModel.open(choose(CLOSED))
    assert start is not None
    assert not start.trains
    with pytest.raises(ConfigError, match="--epochs: the model is a closed form"):
        start_from_folder(tmp_path / "first", prepared, 2, tmp_path / START)
    drift = run(tmp_path, grown, start, "turned")["finetuning"]["drift"]
    outputs = RefitOutputs(tmp_path / "anew" / "model", tmp_path / "anew" / "test.json")
    refit(UNSCORED, {"best_params": CLOSED}, grown, outputs)
    turned, anew = (load_artifacts(tmp_path / name / "model") for name in ("turned", "anew"))
    scores = [each.user_vecs @ each.item_vecs.T for each in (turned, anew)]
    assert np.allclose(*scores, atol=1e-5)
    without = start.drift(anew.towers, anew.catalogue, seed=42)
    assert drift["moved_median"] < 0.8 * without["moved_median"]


def test_test_rows_that_the_start_model_knows_are_refused(
    tmp_path: Path, prepared: Path, choose: Chosen
) -> None:
    start = StartModel.open(choose(TRAINED))
    splits = split_by_time(events(seed=0))
    leaking = {**splits, "train": splits["train"][5:], "test": splits["train"][:5]}
    folder = write_prepared(tmp_path / "leaking", leaking)
    with pytest.raises(ConfigError, match="5 of 5 test rows are in the training data of the start"):
        run(tmp_path, folder, start, "none")
    assert not (tmp_path / "none").exists()
    run(tmp_path, prepared, start, "same")  # the data of the start model: its test rows are new


def test_files_that_are_not_the_start_model_are_refused(choose: Chosen) -> None:
    folder = choose(TRAINED)
    rows = folder / "model" / "training_rows.npy"
    kept = rows.read_bytes()
    rows.write_bytes(kept[:-8] + b"\xff" * 8)
    with pytest.raises(ConfigError, match="model: is missing, damaged, or not the model that"):
        StartModel.open(folder)
    rows.write_bytes(kept)
    shutil.rmtree(folder / "model" / "vocabulary")
    with pytest.raises(
        ConfigError, match=r"dvc pull --force brings it, .* twotower finetune --res"
    ):
        StartModel.open(folder)
    forget_start(folder)
    assert StartModel.open(folder) is None
    assert np.array_equal([path.name for path in folder.iterdir()], ["start.json"])
