"""A fit does what the stages do, and leaves what they leave, or nothing."""

import json
import tempfile
from contextlib import chdir
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
import torch

import twotower
from tests.conftest import events
from twotower.common.errors import ConfigError, DataError
from twotower.notebook import from_frames
from twotower.notebook.fitted import FittedRecommender

ITEMS = pd.DataFrame({"item_id": range(1000, 1024), "name": [f"Item <{n}>" for n in range(24)]})
QUICK = {
    "hpo": {
        "n_trials": 2,
        "search_space": {"dim": {"type": "int", "low": 4, "high": 8}},
    },
    "model": {"dim": 4},
    "train": {"epochs": 1},
    "refit": {"seeds": 1},
}


def contents(folder: Path) -> dict[str, bytes]:
    """Of what the stages declare; the live study and the page hold times."""
    kept = ("data", "metrics", ".artifacts_best", "hpo_results.json", "hpo_study.db", "params.yaml")
    files = (file for name in kept for file in [folder / name, *(folder / name).rglob("*")])
    return {str(file.relative_to(folder)): file.read_bytes() for file in files if file.is_file()}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fit") / "shop"


@pytest.fixture(scope="module")
def model(kept: Path) -> FittedRecommender:
    frame = events(seed=0).sample(frac=1, random_state=1).set_index("weight")
    return twotower.fit(frame, items=ITEMS, config=QUICK, folder=kept)


@pytest.mark.slow
def test_a_folder_has_all_that_the_stages_leave(model: FittedRecommender, kept: Path) -> None:
    files = contents(kept)
    assert {
        *("data/prepared/test.parquet", "hpo_results.json", "hpo_study.db", "metrics/test.json"),
        *("metrics/verdict.json", ".artifacts_best/model_meta.json", "metrics/data.json"),
    } <= {name.replace("\\", "/") for name in files}
    assert "Item &lt;1&gt;" in (kept / "report.html").read_text(encoding="utf-8")
    again = twotower.Recommender.load(kept / ".artifacts_best")
    assert again.recommend([100], 3).item_ids == model.recommend([100], 3).item_ids


@pytest.mark.slow
def test_the_model_knows_titles_and_how_it_did(model: FittedRecommender, kept: Path) -> None:
    found = model.recommend([100, 101], k=2).to_frame()
    assert (found["title"] == [f"Item <{item - 1000}>" for item in found["item_id"]]).all()
    assert model.verdict == json.loads((kept / "metrics/verdict.json").read_bytes())["sentence"]
    assert {"optimized", "popularity", "random"} <= set(model.scores["scorer"])


@pytest.mark.slow
@pytest.mark.usefixtures("model")
def test_a_second_fit_runs_no_trial_and_makes_the_same_bytes(
    kept: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents(kept)
    frame = events(seed=0).sample(frac=1, random_state=1).set_index("weight")
    twotower.fit(frame, items=ITEMS, config=QUICK, folder=kept)
    assert contents(kept) == before
    assert "all 2 trials are done, none to run" in capsys.readouterr().out


@pytest.mark.slow
def test_without_a_folder_the_same_model_and_nothing_is_left(
    model: FittedRecommender,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    state, threads = torch.get_rng_state(), torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    frame = events(seed=0).sample(frac=1, random_state=1)
    with chdir(tmp_path):
        other = twotower.fit(frame.drop(columns="weight"), items=ITEMS, config=QUICK)
    assert list(tmp_path.iterdir()) == []
    assert np.array_equal(other.artifacts.user_vecs, model.artifacts.user_vecs)
    assert other.recommend([100], 3).item_ids == model.recommend([100], 3).item_ids
    assert other.artifacts.towers is not None
    out = capsys.readouterr().out
    assert f"verdict: {model.verdict}" in out
    assert str(tmp_path) not in out
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert torch.are_deterministic_algorithms_enabled() == deterministic


FRAME = pd.DataFrame({"user_id": [1, 1, 2, 2], "item_id": [5, 6, 5, 7]})


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (FRAME[:0], "^interactions: the frame has no rows"),
        (
            FRAME.rename(columns={"user_id": "who"}),
            "interactions: cannot find the user column.*columns: who, item_id$",
        ),
        (FRAME.assign(user_id=[1, None, 2, 2]), r"^interactions: column 'user_id'.*row 2 \(n"),
        (FRAME.assign(user_id=1), "^interactions: need at least two users"),
        (FRAME.set_axis(["user_id", "user_id"], axis=1), "^interactions: duplicate column names"),
        (FRAME.assign(date="x"), r"^interactions: column 'date'.*row 1 \('x'\)"),
    ],
)
def test_a_frame_that_breaks_a_rule_is_one_message(frame: Any, message: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        twotower.fit(frame)
    assert "parquet" not in str(error.value)
    assert len(list(error.traceback)) == 2  # ours, and the line that called


def test_a_folder_may_be_below_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for home in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(home, str(tmp_path))
    with pytest.raises(DataError):
        twotower.fit(FRAME[:0], folder="~/shop")
    assert (tmp_path / "shop" / "params.yaml").is_file()


def test_a_mistake_in_the_parameters_names_no_flag_of_a_command() -> None:
    with pytest.raises(ConfigError, match=r"^config: visualize.png: .*: leave it out$"):
        twotower.fit(FRAME, config={"visualize": {"png": 1}})


def test_a_session_keeps_what_optuna_says() -> None:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.INFO)
    try:
        with pytest.raises(DataError):
            twotower.fit(FRAME[:0])
        assert optuna.logging.get_verbosity() == optuna.logging.INFO
    finally:
        optuna.logging.set_verbosity(before)


@pytest.mark.parametrize(
    ("asked", "here", "pinned"),
    [(True, True, False), (True, True, True), (True, False, False), (False, True, False)],
)
def test_a_session_that_cannot_be_portable_is_told_where_it_could_have_been(
    asked: bool,
    here: bool,
    pinned: bool,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(from_frames, "portable_here", lambda: here)
    monkeypatch.setattr(from_frames, "in_effect", lambda: pinned)
    monkeypatch.setattr(from_frames, "why_not", lambda: "it is late")
    with pytest.raises(DataError):
        twotower.fit(FRAME[:0], config={"portable": asked})
    assert ("note: it is late" in capsys.readouterr().out) == (asked and here and not pinned)


def test_the_index_of_a_frame_is_named_where_a_column_is_missing() -> None:
    with pytest.raises(DataError, match=r"reset_index\(\) makes columns of its index \(user_id\)"):
        twotower.fit(FRAME.set_index("user_id"))
