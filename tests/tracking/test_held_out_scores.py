"""What refit's files say of the test split."""

import json
from pathlib import Path
from typing import Any

from twotower.tracking.held_out_scores import read_held_out_scores


def write(folder: Path, test: Any, verdict: Any) -> None:
    (folder / "test.json").write_text(json.dumps(test), encoding="utf-8")
    (folder / "verdict.json").write_text(json.dumps(verdict), encoding="utf-8")


def test_the_model_has_all_metrics_and_the_others_the_objective(tmp_path: Path) -> None:
    assert read_held_out_scores(tmp_path) is None
    sections = {
        "optimized": {"mrr": 0.25, "recall_at_10": 0.5},
        "ease": {"mrr": 0.125, "recall_at_10": 0.375, "setting": {"l2": 30}},
        "ials": {"failure": "too large"},
        "evaluated": {"num_users": 3},
        "scored": True,
    }
    write(tmp_path, sections, {"objective": "recall_at_10", "sentence": "beats every baseline"})
    scores = read_held_out_scores(tmp_path)
    assert scores is not None
    assert scores.metrics == {
        "test/mrr": 0.25, "test/recall_at_10": 0.5, "test/ease/recall_at_10": 0.375
    }  # fmt: skip
    assert scores.verdict == "beats every baseline"
    assert [file.name for file in scores.files] == ["test.json", "verdict.json"]


def test_without_scores_the_verdict_is_the_reason(tmp_path: Path) -> None:
    write(tmp_path, {"scored": False}, {"reason": "there is no test split", "verdict": None})
    scores = read_held_out_scores(tmp_path)
    assert scores is not None
    assert (scores.metrics, scores.verdict) == ({}, "not scored: there is no test split")
