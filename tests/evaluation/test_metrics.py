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
    bits = np.log2(1 + np.arange(num_items))
    return EvaluationSet(np.arange(len(users)), lists, num_relevant, nothing, num_items, 0, 0, bits)


def rankings(*rows: str) -> Rankings:
    """A mark for each rank, x for a relevant item; the ranking goes on with irrelevant ones."""
    hits = np.array([[mark == "x" for mark in row] for row in rows])
    first = np.where(hits.any(axis=1), hits.argmax(axis=1) + 1, 0)
    return Rankings(np.full(hits.shape, -1), hits, first)


def test_by_hand() -> None:
    ranked, users = rankings("x.x.", "....", ".x.."), target(9, (2, 2), (1, 0), (5, 5))
    assert metrics.recall(ranked, users, 4).tolist() == [1.0, 0.0, 0.2]
    assert metrics.recall(ranked, users, 2).tolist() == [0.5, 0.0, 0.2]
    assert metrics.precision(ranked, users, 4).tolist() == [0.5, 0.0, 0.25]
    assert metrics.precision(ranked, users, 5).tolist() == [0.4, 0.0, 0.2]
    assert metrics.average_precision(ranked, users, 4).tolist() == [(1 + 2 / 3) / 2, 0, 1 / 2 / 4]
    assert metrics.average_precision(ranked, users, 1).tolist() == [1.0, 0.0, 0.0]
    assert metrics.hit_rate(ranked, users, 4).tolist() == [1.0, 0.0, 1.0]
    assert metrics.hit_rate(ranked, users, 1).tolist() == [1.0, 0.0, 0.0]
    ideal = [1 + 1 / math.log2(3), 1, 1 + 1 / math.log2(3) + 1 / 2 + 1 / math.log2(5)]
    expected = [(1 + 1 / 2) / ideal[0], 0.0, (1 / math.log2(3)) / ideal[2]]
    assert metrics.ndcg(ranked, users, 4) == pytest.approx(expected)
    assert metrics.reciprocal_rank(ranked, users, 4).tolist() == [1.0, 0.0, 0.5]


def shown(*top: list[int]) -> Rankings:
    items = np.array(top)
    return Rankings(items, np.zeros(items.shape, np.bool_), np.zeros(len(items), np.int64))


def test_what_is_shown_by_hand() -> None:
    ranked = shown([0, 3, -1], [3, 0, 1])
    users = target(8, (1, 1), (1, 1))  # of item i, log2(1 + i) bits
    assert [float(metrics.coverage(ranked, users, k)) for k in (1, 2, 3)] == [2 / 8, 2 / 8, 3 / 8]
    assert metrics.novelty(ranked, users, 1).tolist() == [0.0, 2.0]
    assert metrics.novelty(ranked, users, 3).tolist() == [(0 + 2) / 2, (2 + 0 + 1) / 3]
    # Six items are shown never, one once and two twice: over all pairs |x_i - x_j| is, times two,
    # 2 (5 · 1 + 5 · 2 + 5 · 2 + 1 + 1 + 0); and 8 items have 5 exposures.
    assert metrics.gini(ranked, users, 3) == pytest.approx((5 + 10 + 10 + 1 + 1) / (8 * 5))


def test_the_gini_index_of_equal_and_of_single_exposure() -> None:
    users = target(4, *[(1, 1)] * 4)
    assert metrics.gini(shown([0], [1], [2], [3]), users, 1) == 0
    assert metrics.gini(shown([2], [2], [2], [2]), users, 1) == pytest.approx(3 / 4)
    assert metrics.gini(shown([-1], [-1], [-1], [-1]), users, 1) == 0


@pytest.mark.parametrize(("num_items", "k"), [(9, 1), (9, 8), (4, 4), (2, 5)])
def test_the_expected_gini_index_of_one_user_is_exact(num_items: int, k: int) -> None:
    # Whatever the k items are, they are shown once and the others never.
    user = target(num_items, (1, 1))
    expected = metrics.random_expectation(user, (k,)).overall[f"gini_at_{k}"]
    assert expected == pytest.approx(1 - min(k, num_items) / num_items)


@pytest.mark.parametrize(("num_users", "num_items", "k"), [(2, 8, 1), (3, 7, 1), (2, 12, 2)])
def test_the_expected_gini_index_without_masks_is_exact(
    num_users: int, num_items: int, k: int
) -> None:
    users = target(num_items, *[(1, 1)] * num_users)
    orders = list(itertools.combinations(range(num_items), k))
    values = [
        float(metrics.gini(shown(*map(list, tops)), users, k))
        for tops in itertools.product(orders, repeat=num_users)
    ]
    expected = metrics.random_expectation(users, (k,)).overall[f"gini_at_{k}"]
    assert expected == pytest.approx(sum(values) / len(values))


def test_catalogue_shorter_than_k() -> None:
    # Two items in the catalogue, both relevant, one more outside it: IDCG@5 counts three.
    value = metrics.ndcg(rankings("xx"), target(2, (3, 2)), 5)
    assert value == pytest.approx((1 + 1 / math.log2(3)) / (1 + 1 / math.log2(3) + 1 / 2))


RANDOM = ("recall", "precision", "ndcg", "map", "hit_rate", "mrr")


def naive_random(candidates: int, rankable: int, relevant: int, k: int) -> dict[str, float]:
    """Average over all equally likely sets of ranks of the rankable items."""
    totals = dict.fromkeys(RANDOM, 0.0)
    ideal = sum(1 / math.log2(1 + rank) for rank in range(1, min(relevant, k) + 1))
    placements = list(itertools.combinations(range(1, candidates + 1), rankable))
    for ranks in placements:
        top = [rank for rank in ranks if rank <= k]
        totals["recall"] += len(top) / relevant
        totals["precision"] += len(top) / k
        precisions = (place / rank for place, rank in enumerate(top, 1))
        totals["map"] += sum(precisions) / min(relevant, k)
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
    assert got.overall[f"coverage_at_{k}"] == pytest.approx(min(k, candidates) / candidates)
    bits = [math.log2(1 + item) for item in range(candidates)]
    assert got.per_user[f"novelty_at_{k}"][0] == pytest.approx(sum(bits) / candidates)


def test_keys_labels_and_cutoffs_come_from_the_table() -> None:
    ks = (5, 20)
    assert metrics.objectives(ks) == [
        "recall_at_5", "precision_at_5", "ndcg_at_5", "map_at_5", "hit_rate_at_5",
        "recall_at_20", "precision_at_20", "ndcg_at_20", "map_at_20", "hit_rate_at_20", "mrr",
    ]  # fmt: skip
    labels = {"ndcg_at_5": "NDCG@5", "hit_rate_at_20": "Hit rate@20", "mrr": "MRR"}
    assert {key: metrics.metric_label(key) for key in labels} == labels
    assert metrics.metric_label("of_a_later_version_at_3") == "of_a_later_version_at_3"
    assert [metrics.metric_cutoff(key, ks) for key in ("ndcg_at_5", "mrr")] == [5, 20]


def test_config_data_verdict_and_metrics_import_no_torch_and_metrics_no_pandas() -> None:
    code = (
        "import sys, twotower.evaluation.metrics; assert 'pandas' not in sys.modules\n"
        "for name in 'config', 'data.prepared', 'assessment.verdict':\n"
        "    __import__(f'twotower.{name}'); assert 'torch' not in sys.modules, name"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
