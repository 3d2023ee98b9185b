from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twotower.artifacts.content import read_content
from twotower.data.interactions import ItemLists
from twotower.retrieval import approximate, graph
from twotower.retrieval.approximate import build_index, index_recall
from twotower.retrieval.exact import Candidates, top_k

pytest.importorskip("usearch", reason='needs pip install "twotower[index]"')

RNG = np.random.default_rng(0)
ITEMS = RNG.normal(size=(1500, 16)).astype(np.float32)
USERS = RNG.normal(size=(40, 16)).astype(np.float32)


def open_index(path: Path, num_items: int = 1500, *, mmap: bool = True) -> Any:
    return approximate.open_index(read_content(path, None, mmap=mmap), 16, num_items)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("index") / "index.usearch"
    path.write_bytes(build_index(ITEMS))
    return path


def test_same_bytes_again(path: Path) -> None:
    assert build_index(ITEMS) == path.read_bytes()


@pytest.mark.parametrize("mmap", [True, False])
def test_it_finds_nearly_what_exact_search_finds(path: Path, mmap: bool) -> None:
    index = open_index(path, mmap=mmap)
    measured = index_recall(index, USERS, ITEMS, 20)
    assert (measured["k"], measured["num_users"]) == (20, 40)
    assert 0.9 < measured["recall"] <= 1
    assert index_recall(index, np.zeros_like(USERS), ITEMS, 20)["num_users"] == 0
    exact, exact_scores = top_k(USERS, Candidates(ITEMS), 1500, ItemLists.empty(40))
    items, scores = index.top_k(USERS, Candidates(ITEMS), 20, ItemLists.empty(40))
    for row in range(40):  # scores are those of exact search, in its order
        place = {int(item): rank for rank, item in enumerate(exact[row])}
        ranks = [place[int(item)] for item in items[row]]
        assert ranks == sorted(ranks)
        assert np.allclose(scores[row], exact_scores[row, ranks], atol=1e-5)


def hidden_lists() -> ItemLists:
    return ItemLists.of(
        [np.sort(RNG.choice(1500, size, replace=False)) for size in (0, 30, 1490, 1500)]
    )


def test_hidden_items_never_appear_and_rows_are_full(path: Path) -> None:
    hidden = hidden_lists()
    index = open_index(path)
    items, _ = index.top_k(USERS[:4], Candidates(ITEMS), 20, hidden)
    assert (items >= 0).sum(axis=1).tolist() == [20, 20, 10, 0]
    for row in range(4):
        assert not np.isin(
            items[row], hidden.items[hidden.offsets[row] : hidden.offsets[row + 1]]
        ).any()


@pytest.mark.parametrize("keeps", [2, 20, 700])
def test_a_filter_is_searched_in_the_index_while_it_leaves_enough(path: Path, keeps: int) -> None:
    allowed = np.arange(1500) % keeps == 0
    hidden = ItemLists.of([np.arange(0, row) for row in range(40)])
    search = open_index(path)
    items, scores = search.top_k(USERS, Candidates(ITEMS, allowed), 9, hidden)
    want, _ = top_k(USERS, Candidates(ITEMS, allowed), 9, hidden)
    assert np.array_equal(items >= 0, want >= 0)
    assert allowed[items[items >= 0]].all()
    assert ((items >= np.arange(40)[:, None]) | (items < 0)).all()
    assert np.mean([np.isin(a, b).mean() for a, b in zip(want, items, strict=True)]) > 0.9
    assert (np.diff(scores, axis=1)[items[:, 1:] >= 0] <= 0).all()


def test_what_the_index_would_fetch_too_much_for_is_searched_exactly(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "FETCHED", 8)
    search = open_index(path)
    for possible in (Candidates(ITEMS, np.arange(1500) % 50 == 0), Candidates(ITEMS)):
        got = search.top_k(USERS, possible, 9, ItemLists.empty(40))
        want = top_k(USERS, possible, 9, ItemLists.empty(40))
        assert np.array_equal(got[0], want[0])
        assert np.array_equal(got[1], want[1])


@pytest.mark.parametrize(("dtype", "size"), [("f16", 2), ("i8", 1)])
def test_smaller_vectors_find_nearly_as_much(tmp_path: Path, dtype: str, size: int) -> None:
    items = ITEMS * RNG.lognormal(0, 0.3, (1500, 1)).astype(np.float32)  # as of popular items
    (tmp_path / "index").write_bytes(built := build_index(items[:1400], dtype))
    assert len(build_index(items[:1400])) - len(built) == 1400 * 16 * (4 - size)
    longer = open_index(tmp_path / "index", 1400).with_vectors(items, 1400)
    assert len(longer) == 1500
    assert longer.dtype == dtype
    assert index_recall(longer, USERS, items, 20)["recall"] > 0.95
    zeros = np.zeros_like(items)
    (tmp_path / "index").write_bytes(build_index(zeros, dtype))
    found, _ = open_index(tmp_path / "index").top_k(
        USERS, Candidates(zeros), 20, ItemLists.empty(40)
    )
    assert (found >= 0).all()


def test_threads_share_an_index(path: Path) -> None:
    search = open_index(path)
    want, _ = search.top_k(USERS, Candidates(ITEMS), 20, ItemLists.empty(40))
    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(search.top_k, USERS, Candidates(ITEMS), 20, ItemLists.empty(40))
                   for _ in range(8)]  # fmt: skip
    assert all(np.array_equal(answer.result()[0], want) for answer in answers)


def test_damaged_and_foreign_files_are_refused(path: Path) -> None:
    whole = np.frombuffer(path.read_bytes(), np.uint8)
    for content, message in (
        (np.frombuffer(b"nonsense" * 10, np.uint8), "is not an index"),
        (whole[:-1], "cut short"),
        (whole[:0], "cut short"),
    ):
        with pytest.raises(ValueError, match=message):
            approximate.open_index(content, 16, 1500)
    with pytest.raises(ValueError, match="length 16, expected 8"):
        approximate.open_index(whole, 8, 1500)
    with pytest.raises(ValueError, match="number"):
        approximate.open_index(whole, 16, 1501)
