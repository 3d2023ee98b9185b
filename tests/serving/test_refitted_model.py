"""What refit writes is what is served, and its metrics follow from the folder alone."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from twotower.artifacts import Artifacts, load_artifacts, verify_artifacts
from twotower.common.errors import ConfigError
from twotower.config import parse_config
from twotower.data.prepared import read_split
from twotower.evaluation.evaluate import evaluate
from twotower.evaluation.holdout import EvaluationSet, evaluation_set
from twotower.evaluation.metrics import Rankings, measure
from twotower.evaluation.ranking import VectorScorer
from twotower.refit import RefitOutputs, refit
from twotower.serving import Recommender

BEST = {"dim": 16, "lr": 0.03, "epochs": 8, "batch_size": 64}
CONFIG = {"model": {"dim": 8}, "train": {"epochs": 1}, "hpo": {"include_defaults": False}}
KS = (5, 10, 20)


@pytest.fixture(scope="module")
def written(
    tmp_path_factory: pytest.TempPathFactory, prepared: Path
) -> tuple[Path, dict[str, Any]]:
    pytest.importorskip("usearch", reason='needs pip install "twotower[index]"')
    root = tmp_path_factory.mktemp("refit")
    config = parse_config(CONFIG | {"refit": {"index": "usearch"}})
    outputs = RefitOutputs(root / "m", root / "test.json")
    return root / "m", refit(config, {"best_params": BEST}, prepared, outputs).metrics


def history(artifacts: Artifacts) -> pd.DataFrame:
    """The distinct training rows, as the folder holds them."""
    users = np.repeat(np.arange(len(artifacts.user_ids)), artifacts.seen.counts)
    return pd.DataFrame(
        {
            "user_id": artifacts.user_ids.decode(users),
            "item_id": artifacts.item_ids.decode(artifacts.seen.items),
        }
    ).assign(timestamp=0, weight=1.0)


def held_out(artifacts: Artifacts, prepared: Path) -> EvaluationSet:
    test = read_split(prepared / "test.parquet")
    config = parse_config(CONFIG)
    return evaluation_set(
        artifacts.catalogue, history(artifacts), test, exclude_seen=config.evaluate.exclude_seen
    )


def test_metrics_of_refit_from_the_folder_alone(written: Any, prepared: Path) -> None:
    folder, reported = written
    artifacts = load_artifacts(folder)
    target = held_out(artifacts, prepared)
    scorer = VectorScorer(np.array(artifacts.user_vecs), np.array(artifacts.item_vecs))
    assert evaluate(scorer, target, KS).summary() == reported["optimized"]


def test_metrics_of_refit_from_recommendations(written: Any, prepared: Path) -> None:
    folder, reported = written
    model = Recommender.load(folder)
    target = held_out(model.artifacts, prepared)
    found = model.recommend(model.artifacts.user_ids.decode(target.users), k=model.num_items)
    assert set(found.source) == {"model"}
    hits = np.zeros(found.item_idx.shape, dtype=np.bool_)
    for row in range(len(target)):
        relevant = target.relevant.items[slice(*target.relevant.offsets[row : row + 2])]
        hits[row] = np.isin(found.item_idx[row], relevant)
    first = np.where(hits.any(axis=1), hits.argmax(axis=1) + 1, 0)
    got = measure(Rankings(found.item_idx, hits, first), target, KS).summary()
    assert got == pytest.approx(reported["optimized"])


def test_the_popularity_of_the_folder_is_that_of_the_rows(written: Any, prepared: Path) -> None:
    artifacts = load_artifacts(written[0])
    rows = pd.concat(read_split(prepared / f"{name}.parquet") for name in ("train", "validation"))
    counts = rows["item_id"].value_counts()
    assert artifacts.item_counts.tolist() == [counts[item] for item in artifacts.item_ids.all]


def test_the_index_is_measured_and_can_be_searched(written: Any) -> None:
    folder, reported = written
    assert reported["index"] == {"k": 20, "num_users": 30, "recall": pytest.approx(1.0)}
    verify_artifacts(folder)
    exact, near = Recommender.load(folder), Recommender.load(folder, approximate=True)
    users = [*exact.artifacts.user_ids.all, 7]
    for seen in (True, False):
        want, got = exact.recommend(users, 5, seen), near.recommend(users, 5, seen)
        assert got.item_ids == want.item_ids
        assert np.allclose(got.scores, want.scores, atol=1e-5)


def test_an_index_without_its_library_is_a_clear_error(
    tmp_path: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "usearch.index", None)
    config = parse_config(CONFIG | {"refit": {"index": "usearch", "score_test": False}})
    with pytest.raises(ConfigError, match=r'pip install "twotower\[index\]"'):
        refit(
            config,
            {"best_params": BEST},
            prepared,
            RefitOutputs(tmp_path / "m", tmp_path / "t.json"),
        )
    assert not (tmp_path / "m").exists()
