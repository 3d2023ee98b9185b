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
    "hpo": {"objective": "map_at_10", "include_defaults": False},
    "refit": {"seeds": 1},
}
BEST = {"dim": 16, "lr": 0.03, "epochs": 8, "batch_size": 64}


def average_precision(ranked: Rankings, users: EvaluationSet, k: int) -> np.ndarray:
    hits = ranked.hits[:, :k]
    precision = hits.cumsum(axis=1) / np.arange(1, hits.shape[1] + 1)
    return (hits * precision).sum(axis=1) / np.minimum(users.num_relevant, k)


def expected_average_precision(users: EvaluationSet, k: int) -> np.ndarray:
    n, r = users.num_candidates, users.relevant.counts
    ranks = np.arange(1, k + 1)
    before = (ranks - 1) * ((r - 1) / np.maximum(n - 1, 1))[:, None]  # hits above a hit
    gains = np.where(ranks <= n[:, None], (1 + before) / ranks, 0.0).sum(axis=1)
    return r / n * gains / np.minimum(users.num_relevant, k)


@pytest.fixture(autouse=True)
def map_at_k(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Metric("map", "MAP", average_precision, expected_average_precision)
    monkeypatch.setitem(METRICS, "map", row)


def test_it_is_what_it_says() -> None:
    assert average_precision(rankings("x.x"), target(3, (2, 2)), 3).tolist() == [(1 + 2 / 3) / 2]
    # Of three candidates one is relevant: the ranks 1, 2 and 3 are as likely.
    expected = expected_average_precision(target(3, (1, 1)), 3)
    assert expected == pytest.approx([(1 + 1 / 2 + 1 / 3) / 3])


def test_it_is_an_objective_and_measured_beside_the_others(prepared: Path) -> None:
    objective = Objective(prepared, parse_config(PARAMS))
    metrics = objective(Trial(0, "RUNNING", BEST)).metrics
    assert {"map_at_5", "map_at_10", "map_at_20", "recall_at_10"} <= metrics.keys()
    assert 0 < metrics["map_at_10"] <= metrics["recall_at_10"]
    with pytest.raises(ConfigError, match=r"hit_rate_at_5, map_at_5, .*, got .?map_at_3"):
        parse_config({"hpo": {"objective": "map_at_3"}})


def test_it_is_in_every_file_of_refit_and_in_the_plots(tmp_path: Path, prepared: Path) -> None:
    outputs = RefitOutputs(tmp_path / "artifacts", tmp_path / "test.json")
    assessment = refit(parse_config(PARAMS), {"best_params": BEST}, prepared, outputs)
    written = {path.stem: json.loads(path.read_text()) for path in tmp_path.glob("*.json")}
    assert 0 < written["test"]["random"]["map_at_10"] < written["test"]["optimized"]["map_at_10"]
    assert "map_at_10" in written["intervals"]["intervals"]["optimized"]
    assert written["verdict"]["objective"] == written["slices"]["user_metric"] == "map_at_10"
    assert "map_at_5" in written["slices"]["metrics"]
    assert "map_at_10" in read_per_user(tmp_path / "per_user.parquet").metrics["ease"]
    lines = list(summary(assessment))
    assert lines[0].startswith("test map_at_10 ")
    assert lines[1].startswith(
        f"  optimized           {written['test']['optimized']['map_at_10']:.4f}"
    )
    assert metric_label("map_at_10") == "MAP@10"
