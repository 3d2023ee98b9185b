from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from twotower.data.interactions import ItemLists
from twotower.retrieval import approximate
from twotower.retrieval.approximate import IndexSearch, build_index, index_recall, open_index
from twotower.retrieval.exact import Candidates, top_k

pytest.importorskip("usearch", reason='needs pip install "twotower[index]"')

RNG = np.random.default_rng(0)
ITEMS = RNG.normal(size=(1500, 16)).astype(np.float32)
USERS = RNG.normal(size=(40, 16)).astype(np.float32)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("index") / "index.usearch"
    path.write_bytes(build_index(ITEMS))
    return path


def test_same_bytes_again(path: Path) -> None:
    assert build_index(ITEMS) == path.read_bytes()


@pytest.mark.parametrize("mmap", [True, False])
def test_it_finds_nearly_what_exact_search_finds(path: Path, mmap: bool) -> None:
    index = open_index(path, 16, mmap=mmap)
    measured = index_recall(index, USERS, ITEMS, 20)
    assert (measured["k"], measured["num_users"]) == (20, 40)
    assert 0.9 < measured["recall"] <= 1
    assert index_recall(index, np.zeros_like(USERS), ITEMS, 20)["num_users"] == 0
    exact, exact_scores = top_k(USERS, Candidates(ITEMS), 1500, ItemLists.empty(40))
    items, scores = IndexSearch(index).top_k(USERS, Candidates(ITEMS), 20, ItemLists.empty(40))
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
    index = open_index(path, 16)
    items, _ = IndexSearch(index).top_k(USERS[:4], Candidates(ITEMS), 20, hidden)
    assert (items >= 0).sum(axis=1).tolist() == [20, 20, 10, 0]
    for row in range(4):
        assert not np.isin(
            items[row], hidden.items[hidden.offsets[row] : hidden.offsets[row + 1]]
        ).any()


def test_restricted_catalogues_and_long_histories_are_searched_exactly(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = IndexSearch(open_index(path, 16))
    candidates = Candidates(ITEMS, allowed=np.arange(1500) % 50 == 0)
    for possible in (candidates, Candidates(ITEMS)):
        got = search.top_k(USERS, possible, 9, ItemLists.empty(40))
        want = top_k(USERS, possible, 9, ItemLists.empty(40))
        assert np.array_equal(got[0], want[0])
        assert np.array_equal(got[1], want[1])
        monkeypatch.setattr(approximate, "LONG_HISTORY", -1)


def test_threads_share_an_index(path: Path) -> None:
    search = IndexSearch(open_index(path, 16))
    want, _ = search.top_k(USERS, Candidates(ITEMS), 20, ItemLists.empty(40))
    with ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(search.top_k, USERS, Candidates(ITEMS), 20, ItemLists.empty(40))
                   for _ in range(8)]  # fmt: skip
    assert all(np.array_equal(answer.result()[0], want) for answer in answers)


def test_damaged_and_foreign_files_are_refused(path: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is missing"):
        open_index(tmp_path / "index.usearch", 16)
    (tmp_path / "index.usearch").write_bytes(b"nonsense" * 10)
    with pytest.raises(ValueError, match="is not an index"):
        open_index(tmp_path / "index.usearch", 16)
    with pytest.raises(ValueError, match="length 16, expected 8"):
        open_index(path, 8)
