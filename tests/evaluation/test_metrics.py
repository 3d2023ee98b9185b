"""Metrics three ways: by hand, against a naive loop, against another library."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twotower.evaluation import metrics


def hits(*rows: str) -> np.ndarray:
    return np.array([[mark == "x" for mark in row] for row in rows])


def test_by_hand() -> None:
    found = hits("x.x.", "....", ".x..")
    num_relevant = np.array([2, 1, 5])
    assert metrics.recall_at_k(found, num_relevant).tolist() == [1.0, 0.0, 0.2]
    assert metrics.hit_rate_at_k(found).tolist() == [1.0, 0.0, 1.0]
    ideal = [1 + 1 / math.log2(3), 1, 1 + 1 / math.log2(3) + 1 / 2 + 1 / math.log2(5)]
    expected = [(1 + 1 / 2) / ideal[0], 0.0, (1 / math.log2(3)) / ideal[2]]
    assert metrics.ndcg_at_k(found, num_relevant, 4) == pytest.approx(expected)
    assert metrics.reciprocal_rank(np.array([1, 0, 4])).tolist() == [1.0, 0.0, 0.25]


def test_catalogue_shorter_than_k() -> None:
    # Two items in the catalogue, both relevant, one more outside it: IDCG@5 counts three.
    value = metrics.ndcg_at_k(hits("xx"), np.array([3]), 5)
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
    got = metrics.random_expectation(
        np.array([candidates]), np.array([rankable]), np.array([relevant]), (k,)
    )
    want = naive_random(candidates, rankable, relevant, k)
    for name in ("recall", "ndcg", "hit_rate"):
        assert got[f"{name}_at_{k}"][0] == pytest.approx(want[name])
    assert got["mrr"][0] == pytest.approx(want["mrr"])
