"""Whole backtests of a tiny shop."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.backtest.conftest import EVERY, FOLDS, config_of
from twotower.assessment.per_user import read_per_user
from twotower.backtest import fold_run
from twotower.backtest.fold_data import FoldData, fold_config
from twotower.backtest.others import Others
from twotower.backtest.periods import Fold
from twotower.backtest.run import backtest
from twotower.backtest.scores import collect_scores
from twotower.common.errors import DataError, TrainingError
from twotower.common.files import canonical
from twotower.common.units import DAY
from twotower.search.front import LimitsError

CLUSTERED = {"evaluate": {"cluster": "home"}}


def folders(root: Path) -> list[Path]:
    return sorted((root / ".hpo" / "backtest").iterdir())


def scorers(content: dict[str, Any], fold: int) -> set[str]:
    return {row["scorer"] for row in content["scores"] if row["fold"] == fold}


def test_who_is_scored_in_which_fold(done: tuple[Path, dict[str, Any]]) -> None:
    content = done[1]
    always = {"optimized", "default", "random", "popularity", "recency_popularity", "item_knn",
              "ease", "every_2", "never_retrained"}  # fmt: skip
    assert scorers(content, 1) == always
    assert scorers(content, 2) == always | {"age_1", "first_search"}
    assert scorers(content, 3) == always | {"age_1", "age_2", "first_search"}
    assert list(content["gains"]) == [
        "age_1", "age_2", "every_2", "never_retrained", "default", "first_search",
    ]  # fmt: skip
    assert [content["gains"][name]["num_folds"] for name in content["gains"]] == [2, 1, 3, 3, 3, 2]


def test_schedules_serve_the_model_that_was_trained_last(
    done: tuple[Path, dict[str, Any]],
) -> None:
    values = {(row["fold"], row["scorer"]): row["value"] for row in done[1]["scores"]}
    # Every two periods: trained in folds 1 and 3. Never again: in fold 1.
    assert values[1, "every_2"] == values[1, "never_retrained"] == values[1, "optimized"]
    assert values[2, "every_2"] == values[2, "never_retrained"] == values[2, "age_1"]
    assert values[3, "every_2"] == values[3, "optimized"]
    assert values[3, "never_retrained"] == values[3, "age_2"]


def test_a_model_of_age_zero_has_its_own_scores(
    done: tuple[Path, dict[str, Any]], raw: Path, kept: Path
) -> None:
    config = fold_config(config_of(raw, **CLUSTERED))
    folder = folders(kept)[0]
    content = json.loads((folder / "fold.json").read_text(encoding="utf-8"))
    run = fold_run.FoldRun(Fold(1, 0, 1, 2), folder, content)
    own = run.per_user.metrics["optimized"]["recall_at_10"]
    assert Others(run, config).of_older(run).tolist() == own.tolist()
    assert Others(run, config).with_params_of(run) is not None
    assert done[1]["objective"] == "recall_at_10"


def test_a_fold_alone_is_compared_with_no_older_model(raw: Path, kept: Path) -> None:
    content = json.loads((folders(kept)[0] / "fold.json").read_text(encoding="utf-8"))
    run = fold_run.FoldRun(Fold(1, 0, 1, 2), folders(kept)[0], content)
    (scores,) = collect_scores([run], fold_config(config_of(raw, **CLUSTERED)))
    assert not {"never_retrained", "every_2", "age_1", "first_search"} & scores.values.keys()


def test_the_same_hyperparameters_are_the_same_model(raw: Path, kept: Path) -> None:
    """Trained again, as where another fold has found them, it is the model of refit."""
    config = fold_config(config_of(raw, **CLUSTERED))
    folder = folders(kept)[0]
    content = json.loads((folder / "fold.json").read_text(encoding="utf-8"))
    own = fold_run.FoldRun(Fold(1, 0, 1, 2), folder, content)
    pretended = fold_run.FoldRun(own.fold, folder, content | {"best_params": {"lr": 0.0123}})
    found = Others(pretended, config).with_params_of(own)
    assert found is not None
    assert found.tolist() == own.per_user.metrics["optimized"]["recall_at_10"].tolist()


def test_counts_and_verdicts_are_those_of_the_folds(done: tuple[Path, dict[str, Any]]) -> None:
    root, content = done
    files = [json.loads((f / "fold.json").read_text(encoding="utf-8")) for f in folders(root)]
    assert sorted(json.dumps(one["verdict"]["verdict"]) for one in files) == sorted(
        json.dumps(fold["verdict"]) for fold in content["folds"]
    )
    assert sum(content["verdicts"].values()) == FOLDS
    users = {fold["number"]: fold["evaluated"]["num_users"] for fold in content["folds"]}
    assert {row["num_users"] == users[row["fold"]] for row in content["scores"]} == {True}
    assert content["gains"]["default"]["num_rows"] == sum(users.values())
    assert all("num_clusters" in one["verdict"] for one in files)


def test_the_files_of_a_fold(done: tuple[Path, dict[str, Any]]) -> None:
    for folder in folders(done[0]):
        assert {"prepared", "model", "metrics", "fold.json"} <= {p.name for p in folder.iterdir()}
        assert not (folder / ".hpo").exists()
        users = read_per_user(folder / "metrics" / "per_user.parquet").users
        assert len(users) == len(np.unique(users))


def test_a_second_run_computes_nothing_and_finds_the_same(
    done: tuple[Path, dict[str, Any]], raw: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("run_search", "refit"):
        monkeypatch.setattr(fold_run, name, None)  # would be called
    again = backtest(config_of(raw, **CLUSTERED), EVERY, FOLDS, kept)
    assert canonical(again) == canonical(done[1])


@pytest.mark.slow
def test_what_is_damaged_is_computed_again(
    done: tuple[Path, dict[str, Any]], raw: Path, kept: Path
) -> None:
    folder = next(path for path in folders(kept) if (path / "others").exists())
    for path in [folder / "fold.json", *(folder / "others").iterdir()]:
        path.write_bytes(path.read_bytes()[:-20])
    again = backtest(config_of(raw, **CLUSTERED), EVERY, FOLDS, kept)
    assert canonical(again) == canonical(done[1])


@pytest.mark.slow
def test_a_run_that_was_interrupted_ends_with_the_same(
    done: tuple[Path, dict[str, Any]], raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the refit of the first fold; the search before it is not run again."""
    config = config_of(raw, **CLUSTERED)

    def interrupted(*_args: Any, **_kwargs: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fold_run, "refit", interrupted)
        with pytest.raises(KeyboardInterrupt):
            backtest(config, EVERY, FOLDS, tmp_path)
    study = next((tmp_path / ".hpo" / "backtest").glob("*/.hpo"))
    assert study.exists()
    assert canonical(backtest(config, EVERY, FOLDS, tmp_path)) == canonical(done[1])
    assert [path.name for path in folders(tmp_path)] == [path.name for path in folders(done[0])]


def test_another_parameter_is_another_key(raw: Path, kept: Path) -> None:
    prepared = folders(kept)[0] / "prepared"
    config = fold_config(config_of(raw, **CLUSTERED))
    key = fold_run.fold_key(prepared, config)
    assert key == folders(kept)[0].name
    others = [
        config.model_copy(update={"seed": 7}),
        config.model_copy(update={"hpo": config.hpo.model_copy(update={"n_trials": 3})}),
        config.model_copy(update={"refit": config.refit.model_copy(update={"seeds": 2})}),
    ]
    assert key not in {fold_run.fold_key(prepared, other) for other in others}
    elsewhere = config.model_copy(update={"hpo": config.hpo.model_copy(update={"workers": 2})})
    assert fold_run.fold_key(prepared, elsewhere) == key
    (prepared / "test.parquet").write_bytes(b"other rows")
    assert fold_run.fold_key(prepared, config) != key


def test_a_fold_out_of_limits_is_left_out(
    raw: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def search(*_: Any, **__: Any) -> Any:
        raise LimitsError("hpo.choose: no trial of the front has mrr of at least 1; the trials are")

    monkeypatch.setattr(fold_run, "run_search", search)
    content = fold_run._compute(folders(kept)[0], fold_config(config_of(raw, **CLUSTERED)))
    assert content == {"reason": "hpo.choose: no trial of the front has mrr of at least 1"}


@pytest.mark.slow
def test_a_fold_without_a_model_is_left_out(
    raw: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second of three: what needs it serves the model before it."""

    def diverged(folder: Path, *_: Any) -> Any:
        if len(FoldData(folder / "prepared", exclude_seen=True).rows) == second_rows:
            msg = "the loss is not finite"
            raise TrainingError(msg)
        return refit(folder, *_)

    refit = fold_run._refit
    sizes = sorted(len(FoldData(f / "prepared", exclude_seen=True).rows) for f in folders(kept))
    second_rows = sizes[1]
    for folder in folders(kept):
        if len(FoldData(folder / "prepared", exclude_seen=True).rows) == second_rows:
            (folder / "fold.json").unlink()
    monkeypatch.setattr(fold_run, "_refit", diverged)
    content = backtest(config_of(raw, **CLUSTERED), EVERY, FOLDS, kept)
    assert [fold["reason"] for fold in content["folds"]] == [
        None, "the final model: the loss is not finite", None,
    ]  # fmt: skip
    assert "age_1" not in content["gains"]
    assert content["gains"]["age_2"]["num_folds"] == 1
    assert sum(content["verdicts"].values()) == 2
    assert scorers(content, 3) >= {"age_2", "never_retrained", "every_2"}


def test_without_any_fold_it_is_an_error(tmp_path: Path) -> None:
    """Every user comes once: nobody can be scored."""
    shop = tmp_path / "shop"
    shop.mkdir()
    rows = [f"{day},{day % 3},{day * DAY}" for day in range(12)]
    (shop / "interactions.csv").write_text(
        "\n".join(["user_id,item_id,timestamp", *rows]), encoding="utf-8"
    )
    with pytest.raises(DataError, match=r"^none of 3 folds can be scored; fold 1: nobody of the"):
        backtest(config_of(shop), 2 * DAY, 3, tmp_path)
