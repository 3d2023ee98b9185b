import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from twotower.common.errors import TrainingError
from twotower.data.interactions import ItemLists
from twotower.evaluation import ranking
from twotower.evaluation.holdout import EvaluationSet
from twotower.evaluation.ranking import VectorScorer, rank, stable_top_k


def lists(*rows: list[int]) -> ItemLists:
    offsets = np.cumsum([0, *map(len, rows)])
    return ItemLists(offsets, np.array([item for row in rows for item in row], dtype=np.int64))


def target(relevant: ItemLists, masked: ItemLists, num_items: int) -> EvaluationSet:
    users = np.arange(len(relevant.counts))
    bits = np.zeros(num_items)
    return EvaluationSet(users, relevant, relevant.counts, masked, num_items, 0, 0, bits)


class Fixed:
    """Scores that are given."""

    def __init__(self, scores: list[list[float]]) -> None:
        self._scores = torch.tensor(scores, dtype=torch.float32)

    def scores(self, user_idx: np.ndarray) -> torch.Tensor:
        return self._scores[torch.from_numpy(user_idx)].clone()


@pytest.fixture(params=["_counted_by_row", "_counted_at_once"])
def counted(request, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ranks as they are found on a CPU, and as on a GPU."""
    monkeypatch.setattr(ranking, "_counted_by_row", getattr(ranking, request.param))


@settings(deadline=None)
@given(arrays(np.float32, (4, 9), elements=st.sampled_from([-np.inf, -1.0, 0.0, -0.0, 0.5, 2.0])),
       st.integers(1, 9))  # fmt: skip
def test_equal_scores_rank_by_index(scores: np.ndarray, k: int) -> None:
    want = [sorted(range(9), key=lambda item: (-row[item], item))[:k] for row in scores]
    assert stable_top_k(torch.from_numpy(scores), k).tolist() == want


@pytest.mark.usefixtures("counted")
def test_masked_items_are_left_out_and_ranks_are_full() -> None:
    scorer = Fixed([[5, 4, 3, 2, 1], [1, 1, 1, 1, 1]])
    ranked = rank(scorer, target(lists([4], [3]), lists([0, 1], [0]), 5), k=2)
    assert ranked.top.tolist() == [[2, 3], [1, 2]]
    assert ranked.hits.tolist() == [[False, False], [False, False]]
    assert ranked.first_relevant.tolist() == [3, 3]


@pytest.mark.usefixtures("counted")
def test_all_is_as_a_sort_of_everything_says() -> None:
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 60, (20, 701)).astype(np.float32)  # many are equal
    found = [sorted({*rng.integers(0, 701, 3).tolist()}) for _ in scores]
    ranked = rank(Fixed(scores.tolist()), target(lists(*found), lists(*[[]] * 20), 701), k=10)
    order = np.argsort(-scores, axis=1, kind="stable")
    assert ranked.top.tolist() == order[:, :10].tolist()
    is_relevant = np.array([np.isin(row, items) for row, items in zip(order, found, strict=True)])
    assert ranked.hits.tolist() == is_relevant[:, :10].tolist()
    assert ranked.first_relevant.tolist() == (1 + is_relevant.argmax(axis=1)).tolist()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
def test_cuda_ranks_as_a_cpu_does() -> None:
    rng = np.random.default_rng(0)
    vectors = [rng.integers(-3, 4, (count, 4)).astype(np.float32) for count in (300, 701)]
    relevant, masked = (
        lists(*[sorted({*rng.integers(low, low + 350, 3).tolist()}) for _ in range(300)])
        for low in (0, 351)
    )  # the products are exact, and many equal
    on_cpu, on_gpu = (
        rank(VectorScorer(*vectors, device), target(relevant, masked, 701), k=10)
        for device in ("cpu", "cuda")
    )
    for name in ("top", "hits", "first_relevant"):
        assert np.array_equal(getattr(on_cpu, name), getattr(on_gpu, name)), name


def test_fewer_candidates_than_k_leave_gaps() -> None:
    ranked = rank(Fixed([[3, 2, 1]]), target(lists([2]), lists([0, 1]), 3), k=3)
    assert ranked.top.tolist() == [[2, -1, -1]]
    assert ranked.hits.tolist() == [[True, False, False]]


def test_scores_that_are_not_finite_are_refused() -> None:
    with pytest.raises(TrainingError, match="finite"):
        rank(Fixed([[1, float("nan")]]), target(lists([0]), lists([]), 2), k=1)


def test_block_size_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    scorer = VectorScorer(
        rng.normal(size=(37, 8)).astype(np.float32), rng.normal(size=(50, 8)).astype(np.float32)
    )
    users = target(lists(*[[user % 50] for user in range(37)]), lists(*[[]] * 37), 50)
    want = rank(scorer, users, k=5)
    monkeypatch.setattr(ranking, "BLOCK_SCORES", 50 * 10)  # four blocks, the last one padded
    got = rank(scorer, users, k=5)
    for name in ("top", "hits", "first_relevant"):
        assert np.array_equal(getattr(got, name), getattr(want, name)), name
