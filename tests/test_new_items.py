"""From the sample shop to an item and a user that training never saw: measured, added, served."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import twotower
from tests.cli.command import twotower as command
from tests.conftest import REPOSITORY
from twotower import Recommender
from twotower.common.yaml_file import read_yaml

pytestmark = pytest.mark.slow

NAMES = ("interactions", "items", "users")
NEW = [1001, 1002, 1003]
"""Items that come after training."""
QUICK: dict[str, Any] = {
    "data.items.features": {
        "brand": {"kind": "categorical"},
        "name": {"kind": "text", "dims": 16},
        "image": {"kind": "vector", "normalise": True},
    },
    "hpo.n_trials": 2,
    "refit.index": "usearch",
    "refit.seeds": 1,
}
TOPS = ("recall_at_10", "ndcg_at_10")


def sample() -> dict[str, pd.DataFrame]:
    """The sample's files; an item has a vector beside its name, alike for items of one type."""
    frames = {name: pd.read_csv(REPOSITORY / f"data/sample/{name}.csv") for name in NAMES}
    items = frames["items"]
    draw = np.random.default_rng(0).normal
    of_type = {kind: draw(size=12) for kind in items["type"].unique()}
    vectors = [(of_type[kind] + 0.3 * draw(size=12)).tolist() for kind in items["type"]]
    frames["items"] = items.assign(image=vectors)
    return frames


def metrics(folder: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "metrics" / f"{name}.json").read_text())
    return content


def test_from_the_sample_to_a_new_item_for_a_new_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("usearch", reason='needs pip install "twotower[index]"')
    frames = sample()
    later = frames["items"]["item_id"].isin(NEW)
    known = {**frames, "items": frames["items"][~later]}
    known["interactions"] = frames["interactions"][~frames["interactions"]["item_id"].isin(NEW)]
    folder = tmp_path / "shop"
    twotower.fit(**known, config=QUICK | {"split.cold_items": 0.1}, folder=folder)
    _check_groups(folder)

    monkeypatch.chdir(folder)
    frames["items"][later].to_parquet("new.parquet")
    said = command("add-items", "new.parquet", "--output", "grown").stderr
    assert "items added: 3" in said
    model = Recommender.load("grown")
    assert set(NEW) <= set(model.cold_items())
    columns = ["item_id", *QUICK["data.items.features"]]
    encoded = Recommender.load().encode_items(frames["items"].loc[later, columns])
    places = model.artifacts.item_ids.encode(NEW)
    assert encoded.vectors == pytest.approx(model.artifacts.item_vecs[places], abs=1e-6)
    _check_found(model, frames["items"])


def _check_groups(folder: Path) -> None:
    """Both groups of items have intervals and baselines, and content tells cold ones apart."""
    groups = metrics(folder, "item_groups")["groups"]
    for group in ("warm", "cold"):
        part = groups[group]
        scorers = {"optimized", "content_knn", "category_popularity", "popularity", "random"}
        assert scorers <= part["metrics"].keys()
        assert scorers - {"random"} <= part["intervals"].keys()
        assert scorers - {"optimized"} <= part["comparisons"].keys()
    cold = {name: values[TOPS[0]] for name, values in groups["cold"]["metrics"].items()}
    assert cold["optimized"] > 2 * cold["random"]
    assert cold["content_knn"] > 2 * cold["random"]
    assert {f"{top}_cold" for top in TOPS} <= metrics(folder, "validation")["optimized"].keys()


def _check_found(model: Recommender, items: pd.DataFrame) -> None:
    """A new user with items of its brand gets the new item, however they are searched."""
    from fastapi.testclient import TestClient

    from twotower.serving.http_app import ServeOptions, create_app

    brands = items.set_index("item_id")["brand"]
    alike = [item for item, brand in brands.items() if brand == brands[NEW[0]] and item not in NEW]
    few = model.num_items // 10
    assert NEW[0] in model.recommend_from_history(alike, k=few).item_ids[0]
    index = Recommender.load("grown", approximate=True)
    assert NEW[0] in index.recommend_from_history(alike, k=few).item_ids[0]
    similar = model.similar_items([NEW[0]], k=20).item_ids[0]
    assert (brands[similar] == brands[NEW[0]]).mean() > 0.5
    with TestClient(create_app(ServeOptions(artifacts=Path("grown"), poll=0))) as client:
        asked = {"histories": [alike], "k": few}
        answer = client.post("/recommend", json=asked).json()["results"][0]
    assert NEW[0] in answer["items"]


def test_users_who_are_new_are_measured_with_baselines(tmp_path: Path) -> None:
    twotower.fit(**sample(), config=QUICK | {"split.strategy": "users"}, folder=tmp_path)
    scores = metrics(tmp_path, "test")
    assert scores["evaluated"]["num_users"] > 50
    bounds = metrics(tmp_path, "intervals")["intervals"]
    assert {"optimized", "ease", "item_knn", "popularity"} <= bounds.keys()
    assert scores["optimized"][TOPS[0]] > 2 * scores["random"][TOPS[0]]
    assert read_yaml(tmp_path / "params.yaml")["split"]["strategy"] == "users"
