import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from tests.conftest import events, split_by_time, write_prepared
from twotower import refit as refit_module
from twotower.artifacts import FORMAT_VERSION, load_artifacts
from twotower.common.errors import ArtifactError, SearchError, TrainingError
from twotower.config import Config, parse_config
from twotower.data.prepared import read_split
from twotower.evaluation.evaluate import evaluate
from twotower.evaluation.holdout import evaluation_set
from twotower.evaluation.ranking import VectorScorer
from twotower.refit import RefitOutputs, read_best_params, refit
from twotower.training.towers import TwoTower

BEST = {"dim": 16, "lr": 0.03, "epochs": 8, "batch_size": 64}


def config(**sections: Any) -> Config:
    defaults = {"model": {"dim": 8}, "train": {"epochs": 1}, "hpo": {"include_defaults": False}}
    return parse_config(defaults | sections)


def outputs(root: Path) -> RefitOutputs:
    return RefitOutputs(root / "artifacts", root / "test.json")


def run(root: Path, prepared: Path, settings: Config | None = None) -> dict[str, Any]:
    return refit(settings or config(), BEST, prepared, outputs(root))


def digests(root: Path) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> tuple[Path, dict[str, Any]]:
    root = tmp_path_factory.mktemp("refit")
    return root, run(root, prepared)


def test_files(done: tuple[Path, dict[str, Any]]) -> None:
    assert set(digests(done[0])) == {
        "artifacts/best_model.pth",
        "artifacts/item_counts.npy",
        "artifacts/item_vecs.npy",
        "artifacts/model_meta.json",
        "artifacts/seen_items.npy",
        "artifacts/seen_offsets.npy",
        "artifacts/user_vecs.npy",
        "artifacts/vocabulary/features.json",
        "artifacts/vocabulary/items.parquet",
        "artifacts/vocabulary/users.parquet",
        "test.json",
    }


def test_same_bytes_again(done: tuple[Path, Any], tmp_path: Path, prepared: Path) -> None:
    run(tmp_path, prepared)
    assert digests(tmp_path) == digests(done[0])


def test_metrics_hold_every_model_and_reference(done: tuple[Path, dict[str, Any]]) -> None:
    root, metrics = done
    assert json.loads((root / "test.json").read_text())["scored"] is True
    for name in ("optimized", "default", "popularity", "random"):
        assert 0 <= metrics[name]["recall_at_10"] <= 1
    assert metrics["optimized"]["recall_at_5"] > 1.5 * metrics["random"]["recall_at_5"]
    assert metrics["evaluated"]["num_users"] > 0


def test_metrics_can_be_recomputed_from_the_artifacts_alone(
    done: tuple[Path, dict[str, Any]], prepared: Path
) -> None:
    root, metrics = done
    artifacts = load_artifacts(root / "artifacts")
    history = [read_split(prepared / f"{name}.parquet") for name in artifacts.meta["trained_on"]]
    target = evaluation_set(
        artifacts.catalogue,
        pd.concat(history),
        read_split(prepared / "test.parquet"),
        config().evaluate,
    )
    scorer = VectorScorer(np.array(artifacts.user_vecs), np.array(artifacts.item_vecs))
    assert evaluate(scorer, target, (5, 10, 20)).summary() == metrics["optimized"]


def test_weights_rebuild_the_vectors(done: tuple[Path, Any]) -> None:
    artifacts = load_artifacts(done[0] / "artifacts")
    users, items = artifacts.model().vectors()
    assert np.array_equal(users, artifacts.user_vecs)
    assert np.array_equal(items, artifacts.item_vecs)
    weights = torch.load(done[0] / "artifacts" / "best_model.pth", weights_only=True)
    assert all(isinstance(tensor, torch.Tensor) for tensor in weights.values())


def test_ids_are_those_of_the_user(done: tuple[Path, Any], prepared: Path) -> None:
    catalogue = load_artifacts(done[0] / "artifacts").catalogue
    seen = set(read_split(prepared / "train.parquet")["item_id"])
    seen |= set(read_split(prepared / "validation.parquet")["item_id"])
    assert set(catalogue.items.vocabulary.ids) == seen


def test_meta_says_what_it_is(done: tuple[Path, dict[str, Any]]) -> None:
    meta = json.loads((done[0] / "artifacts" / "model_meta.json").read_text())
    assert meta["best_params"] == BEST
    assert meta["model"]["dim"] == 16
    assert meta["trained_on"] == ["train", "validation"]
    assert meta["metrics"]["test"]["mrr"] == pytest.approx(done[1]["optimized"]["mrr"], rel=1e-7)
    assert meta["rows"] == {"train": 240, "validation": 60, "test": 60}
    assert meta["format_version"] == FORMAT_VERSION


def test_all_ships_a_model_of_all_rows_with_the_scores_of_the_other(
    done: tuple[Path, dict[str, Any]], tmp_path: Path, prepared: Path
) -> None:
    metrics = run(tmp_path, prepared, config(refit={"final": "all"}))
    assert metrics == done[1]
    shipped = load_artifacts(tmp_path / "artifacts")
    assert shipped.meta["trained_on"] == ["train", "validation", "test"]
    assert shipped.meta["final"] == "all"
    test_items = set(read_split(prepared / "test.parquet")["item_id"])
    assert test_items <= set(shipped.catalogue.items.vocabulary.ids)
    old = load_artifacts(done[0] / "artifacts").user_vecs
    assert not np.array_equal(shipped.user_vecs[: len(old)], old)


def test_blind_and_without_a_test_split_nothing_is_scored(tmp_path: Path, prepared: Path) -> None:
    blind = run(tmp_path / "blind", prepared, config(refit={"score_test": False}))
    assert blind == {"scored": False}
    splits = split_by_time(events(seed=0))
    splits["test"] = splits["test"][:0]
    without = run(tmp_path / "none", write_prepared(tmp_path / "prepared", splits))
    assert without == {"scored": False}
    assert load_artifacts(tmp_path / "none" / "artifacts").meta["metrics"]["test"] is None


def test_defaults_that_diverge_do_not_cost_the_model(
    tmp_path: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = refit_module.fit

    def fit(*arguments: Any, **options: Any) -> Any:
        if arguments[3].epochs == 1:
            msg = "the loss is not finite"
            raise TrainingError(msg)
        return whole(*arguments, **options)

    monkeypatch.setattr(refit_module, "fit", fit)
    metrics = run(tmp_path, prepared)
    assert metrics["default"] == {"failure": "the loss is not finite"}
    assert metrics["optimized"]["recall_at_10"] > 0


@pytest.mark.parametrize(
    ("text", "words"),
    [(None, "no such file"), ("{", "not a results file"), ("[]", "not a results file")],
)
def test_unusable_results_are_a_clear_error(tmp_path: Path, text: str | None, words: str) -> None:
    path = tmp_path / "hpo_results.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SearchError, match=words):
        read_best_params(path)


def test_unknown_hyperparameters_are_refused(tmp_path: Path, prepared: Path) -> None:
    with pytest.raises(SearchError, match="dimm is no hyperparameter"):
        refit(config(), {"dimm": 4}, prepared, outputs(tmp_path))


def test_a_model_that_is_not_finite_is_not_written(
    tmp_path: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def vectors(_model: TwoTower) -> tuple[np.ndarray, np.ndarray]:
        return np.full((3, 2), np.inf, np.float32), np.zeros((3, 2), np.float32)

    monkeypatch.setattr(TwoTower, "vectors", vectors)
    with pytest.raises(TrainingError, match="not finite"):
        run(tmp_path, prepared, config(refit={"score_test": False}))
    assert not (tmp_path / "artifacts").exists()


def test_incomplete_artifacts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="not a complete model folder"):
        load_artifacts(tmp_path)
    meta = {"format_version": 99}
    (tmp_path / "model_meta.json").write_text(json.dumps(meta))
    with pytest.raises(ArtifactError, match="format version 99"):
        load_artifacts(tmp_path)
