from pathlib import Path

import pandas as pd
import pytest

from benchmarks.default_search import run_pipeline
from benchmarks.shops import SHOPS, Shop, write_shop

SHORT = """
hpo:
  n_trials: 2
  workers: 0
  search_space: {lr: {type: float, low: 0.001, high: 0.1}}
train: {epochs: 2}
refit: {seeds: 1}
"""
"""A preset that leaves little to train."""


@pytest.mark.parametrize("shop", SHOPS.values(), ids=lambda shop: shop.name)
def test_a_shop_is_as_large_as_it_says_and_the_same_each_time(shop: Shop, tmp_path: Path) -> None:
    small = Shop(**{**vars(shop), "users": 50})
    for folder in ("one", "other"):
        write_shop(small, tmp_path / folder)
    files = {path.name: path.read_bytes() for path in (tmp_path / "one").iterdir()}
    assert files == {path.name: path.read_bytes() for path in (tmp_path / "other").iterdir()}
    assert ("items.csv" in files) == ("users.csv" in files) == bool(shop.told)
    rows = pd.read_csv(tmp_path / "one" / "interactions.csv")
    assert sorted(rows["user_id"].unique()) == list(range(1, 51))
    assert rows["item_id"].between(1, shop.items).all()
    assert ("timestamp" in rows) == shop.timed


@pytest.mark.slow
def test_the_pipeline_runs_on_a_shop(tmp_path: Path) -> None:
    preset = tmp_path / "short.yaml"
    preset.write_text(SHORT, encoding="utf-8")
    folder = tmp_path / "run"
    folder.mkdir()
    outcome = run_pipeline("sticky", folder, [preset], tmp_path)
    assert outcome.rival in ("ease", "item_knn", "popularity", "recency_popularity")
    assert outcome.interval[0] < outcome.model < outcome.interval[1]
    assert outcome.row("sticky").count("|") == 8
