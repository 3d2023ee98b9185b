from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from twotower.data.interactions import ItemLists
from twotower.evaluation.ranking import stable_top_k
from twotower.retrieval import exact
from twotower.retrieval.exact import Candidates, top_k


def lists(*rows: list[int]) -> ItemLists:
    offsets = np.cumsum([0, *map(len, rows)])
    return ItemLists(offsets, np.array([item for row in rows for item in row], dtype=np.int64))


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_the_order_is_that_of_the_evaluation(data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    rows, items = data.draw(st.integers(0, 7)), data.draw(st.integers(1, 40))
    k = data.draw(st.integers(1, items))
    levels = data.draw(st.sampled_from([2, 1000]))  # whole numbers: sums are exact, ties abound
    queries = rng.integers(-levels, levels, (rows, 3)).astype(np.float32)
    vectors = rng.integers(-levels, levels, (items, 3)).astype(np.float32)
    hidden = rng.random((rows, items)) < data.draw(st.sampled_from([0.0, 0.3, 1.0]))
    share = data.draw(st.sampled_from([None, 0.1, 0.7]))
    allowed = None if share is None else rng.random(items) < share
    scores = torch.from_numpy(queries @ vectors.T)
    scores[torch.from_numpy(hidden)] = -torch.inf
    if allowed is not None:
        scores[:, torch.from_numpy(~allowed)] = -torch.inf
    top = stable_top_k(scores, k)
    values = scores.gather(1, top)
    sizes = {"QUERIES": 3, "SCORES": data.draw(st.sampled_from([1, 21, 99])), "SAMPLE": 5,
             "GATHERED": data.draw(st.sampled_from([1, 9, 2**22]))}  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        for name, size in sizes.items():
            patch.setattr(exact, name, size)
        masked = lists(*[np.flatnonzero(row).tolist() for row in hidden])
        found, found_scores = top_k(queries, Candidates(vectors, allowed), k, masked)
    assert np.array_equal(found, torch.where(values > -torch.inf, top, -1).numpy())
    assert np.array_equal(np.isnan(found_scores), found < 0)
    assert np.array_equal(found_scores[found >= 0], values.numpy()[found >= 0])


def nothing(rows: int) -> ItemLists:
    return lists(*[[]] * rows)


def test_an_answer_does_not_depend_on_who_else_asks() -> None:
    rng = np.random.default_rng(0)
    queries = rng.normal(size=(70, 24)).astype(np.float32)
    vectors = Candidates(rng.normal(size=(20_000, 24)).astype(np.float32))
    together = top_k(queries, vectors, 15, nothing(70))
    for row in (0, 63, 64, 69):
        items, scores = top_k(queries[row : row + 1], vectors, 15, nothing(1))
        assert np.array_equal(items[0], together[0][row])
        assert np.allclose(scores[0], together[1][row], rtol=1e-6)


def test_scale_multiplies_scores() -> None:
    vectors = np.array([[3], [2], [9]], np.float32)
    candidates = Candidates(vectors, scale=np.array([1, 10, 0], np.float32))
    items, scores = top_k(np.ones((1, 1), np.float32), candidates, 3, nothing(1))
    assert items.tolist() == [[1, 0, 2]]
    assert scores.tolist() == [[20, 3, 0]]


def test_any_float_has_its_place_and_zeros_are_equal() -> None:
    scores = [-0.0, 1e-45, 0.0, -1e-45, 3e38, -3e38, 1.5, -1.5, -0.0, 1.5]
    vectors = Candidates(np.array(scores, np.float32)[:, None])
    items, _ = top_k(np.ones((1, 1), np.float32), vectors, 10, nothing(1))
    assert items.tolist() == [[4, 6, 9, 1, 0, 2, 8, 3, 7, 5]]


def test_memory_mapped_vectors_and_a_long_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exact, "KEPT", 1500)  # two queries at a time
    rng = np.random.default_rng(1)
    np.save(tmp_path / "v.npy", rng.permutation(700).astype(np.float32)[:, None])
    vectors = np.load(tmp_path / "v.npy", mmap_mode="r")
    items, scores = top_k(np.ones((5, 1), np.float32), Candidates(vectors), 700, nothing(5))
    assert (scores == np.arange(699, -1, -1)).all()
    assert np.array_equal(vectors[items[4], 0], scores[4])
