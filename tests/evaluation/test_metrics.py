"""Metrics three ways: by hand, against a naive loop, against another library."""

import itertools
import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twotower.data.interactions import ItemLists
from twotower.evaluation import metrics
from twotower.evaluation.holdout import EvaluationSet
from twotower.evaluation.metrics import METRICS, Rankings


def target(num_items: int, *users: tuple[int, int]) -> EvaluationSet:
    """An evaluation set without masks; of each user the relevant items, and those in reach."""
    num_relevant, rankable = np.array(users).T
    lists = ItemLists(
        np.concatenate([[0], np.cumsum(rankable)]),
        np.concatenate([np.arange(count) for count in rankable]),
    )
    nothing = ItemLists(np.zeros(len(users) + 1, np.int64), np.empty(0, np.int64))
    return EvaluationSet(np.arange(len(users)), lists, num_relevant, nothing, num_items, 0, 0)


def rankings(*rows: str) -> Rankings:
    """A mark for each rank, x for a relevant item; the ranking goes on with irrelevant ones."""
    hits = np.array([[mark == "x" for mark in row] for row in rows])
    first = np.where(hits.any(axis=1), hits.argmax(axis=1) + 1, 0)
    return Rankings(np.full(hits.shape, -1), hits, first)


def test_by_hand() -> None:
    ranked, users = rankings("x.x.", "....", ".x.."), target(9, (2, 2), (1, 0), (5, 5))
    assert metrics.recall(ranked, users, 4).tolist() == [1.0, 0.0, 0.2]
    assert metrics.recall(ranked, users, 2).tolist() == [0.5, 0.0, 0.2]
    assert metrics.hit_rate(ranked, users, 4).tolist() == [1.0, 0.0, 1.0]
    assert metrics.hit_rate(ranked, users, 1).tolist() == [1.0, 0.0, 0.0]
    ideal = [1 + 1 / math.log2(3), 1, 1 + 1 / math.log2(3) + 1 / 2 + 1 / math.log2(5)]
    expected = [(1 + 1 / 2) / ideal[0], 0.0, (1 / math.log2(3)) / ideal[2]]
    assert metrics.ndcg(ranked, users, 4) == pytest.approx(expected)
    assert metrics.reciprocal_rank(ranked, users, 4).tolist() == [1.0, 0.0, 0.5]


def test_coverage_by_hand() -> None:
    top = np.array([[0, 3, -1], [3, 0, 1]])
    ranked = Rankings(top, np.zeros(top.shape, np.bool_), np.zeros(2, np.int64))
    users = target(8, (1, 1), (1, 1))
    assert [float(metrics.coverage(ranked, users, k)) for k in (1, 2, 3)] == [2 / 8, 2 / 8, 3 / 8]


def test_catalogue_shorter_than_k() -> None:
    # Two items in the catalogue, both relevant, one more outside it: IDCG@5 counts three.
    value = metrics.ndcg(rankings("xx"), target(2, (3, 2)), 5)
    assert value == pytest.approx((1 + 1 / math.log2(3)) / (1 + 1 / math.log2(3) + 1 / 2))


def naive_random(candidates: int, rankable: int, relevant: int, k: int) -> dict[str, float]:
    """Average over all equally likely sets of ranks of the rankable items."""
    totals = dict.fromkeys(("recall", "ndcg", "hit_rate", "mrr"), 0.0)
    ideal = sum(1 / math.log2(1 + rank) for rank in range(1, min(relevant, k) + 1))
    placements = list(itertools.combinations(range(1, candidates + 1), rankable))
    for ranks in placements:
        top = [rank for rank in ranks if rank <= k]
        totals["recall"] += len(top) / relevant
        totals["ndcg"] += sum(1 / math.log2(1 + rank) for rank in top) / ideal
        totals["hit_rate"] += bool(top)
        totals["mrr"] += 1 / ranks[0] if ranks else 0.0
    return {name: total / len(placements) for name, total in totals.items()}


@settings(deadline=None)
@given(st.data())
def test_random_expectation_is_the_average_over_all_rankings(data: st.DataObject) -> None:
    candidates = data.draw(st.integers(1, 9))
    rankable = data.draw(st.integers(0, candidates))
    relevant = rankable + data.draw(st.integers(0 if rankable else 1, 2))
    k = data.draw(st.integers(1, 12))
    got = metrics.random_expectation(target(candidates, (relevant, rankable)), (k,))
    for name, value in naive_random(candidates, rankable, relevant, k).items():
        key = f"{name}_at_{k}" if METRICS[name].has_cutoff else name
        assert got.per_user[key][0] == pytest.approx(value), key
    assert got.overall == {f"coverage_at_{k}": pytest.approx(min(k, candidates) / candidates)}


def test_keys_labels_and_cutoffs_come_from_the_table() -> None:
    ks = (5, 20)
    assert metrics.objectives(ks) == [
        "recall_at_5", "ndcg_at_5", "hit_rate_at_5",
        "recall_at_20", "ndcg_at_20", "hit_rate_at_20", "mrr",
    ]  # fmt: skip
    labels = {"ndcg_at_5": "NDCG@5", "hit_rate_at_20": "Hit rate@20", "mrr": "MRR"}
    assert {key: metrics.metric_label(key) for key in labels} == labels
    assert metrics.metric_label("of_a_later_version_at_3") == "of_a_later_version_at_3"
    assert [metrics.metric_cutoff(key, ks) for key in ("ndcg_at_5", "mrr")] == [5, 20]


def test_config_and_metrics_import_no_torch_and_metrics_no_pandas() -> None:
    code = (
        "import sys, twotower.evaluation.metrics; assert 'pandas' not in sys.modules\n"
        "import twotower.config; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
