"""A metric that is added to the table, and nowhere else, from params.yaml to the plots."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.evaluation.test_metrics import rankings, target
from twotower.assessment.per_user import read_per_user
from twotower.assessment.summary import summary
from twotower.common.errors import ConfigError
from twotower.config import parse_config
from twotower.evaluation.holdout import EvaluationSet
from twotower.evaluation.metrics import METRICS, Metric, Rankings, metric_label
from twotower.refit import RefitOutputs, refit
from twotower.search.objective import Objective
from twotower.search.trial import Trial

PARAMS = {
    "model": {"dim": 8},
    "train": {"epochs": 1},
    "hpo": {"objective": "f_at_10", "include_defaults": False},
    "refit": {"seeds": 1},
}
BEST = {"dim": 16, "lr": 0.03, "epochs": 8, "batch_size": 64}


def f_score(ranked: Rankings, users: EvaluationSet, k: int) -> np.ndarray:
    return 2 * ranked.hits[:, :k].sum(axis=1) / (k + users.num_relevant)


def expected_f_score(users: EvaluationSet, k: int) -> np.ndarray:
    hits = users.relevant.counts * np.minimum(k, users.num_candidates) / users.num_candidates
    return 2 * hits / (k + users.num_relevant)


@pytest.fixture(autouse=True)
def f_at_k(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METRICS, "f", Metric("f", "F", f_score, expected_f_score))


def test_it_is_what_it_says() -> None:
    # Precision is 2 / 3, recall 2 / 2.
    assert f_score(rankings("x.x"), target(3, (2, 2)), 3).tolist() == [2 / (3 / 2 + 1)]
    # Of three candidates one is relevant, and among the first two twice in three times.
    assert expected_f_score(target(3, (1, 1)), 2) == pytest.approx([2 / 3 * 2 / (2 + 1)])


def test_it_is_an_objective_and_measured_beside_the_others(prepared: Path) -> None:
    objective = Objective(prepared, parse_config(PARAMS))
    metrics = objective(Trial(0, "RUNNING", BEST)).metrics
    assert {"f_at_5", "f_at_10", "f_at_20", "recall_at_10"} <= metrics.keys()
    assert 0 < metrics["f_at_10"] <= metrics["hit_rate_at_10"]
    with pytest.raises(ConfigError, match=r"hit_rate_at_5, f_at_5, .*, got .?f_at_3"):
        parse_config({"hpo": {"objective": "f_at_3"}})


def test_it_is_in_every_file_of_refit_and_in_the_plots(tmp_path: Path, prepared: Path) -> None:
    outputs = RefitOutputs(tmp_path / "artifacts", tmp_path / "test.json")
    assessment = refit(parse_config(PARAMS), {"best_params": BEST}, prepared, outputs)
    written = {path.stem: json.loads(path.read_text()) for path in tmp_path.glob("*.json")}
    assert 0 < written["test"]["random"]["f_at_10"] < written["test"]["optimized"]["f_at_10"]
    assert "f_at_10" in written["intervals"]["intervals"]["optimized"]
    assert written["verdict"]["objective"] == written["slices"]["user_metric"] == "f_at_10"
    assert "f_at_5" in written["slices"]["metrics"]
    assert "f_at_10" in read_per_user(tmp_path / "per_user.parquet").metrics["ease"]
    lines = list(summary(assessment))
    assert lines[0].startswith("test f_at_10 ")
    assert lines[1].startswith(
        f"  optimized           {written['test']['optimized']['f_at_10']:.4f}"
    )
    assert metric_label("f_at_10") == "F@10"
