import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twotower.common.errors import RequestError
from twotower.data.features import Categorical, Features, MultiValued, Numeric
from twotower.data.interactions import ItemLists
from twotower.retrieval import rerank
from twotower.retrieval.exact import Candidates, top_k
from twotower.retrieval.rerank import Reranking, Search, SecondStage, parse_caps


def brands(*codes: int) -> Features:
    """A categorical feature; 0 is missing."""
    names = tuple("abcdefghij"[: max(codes, default=0)])
    return Features({"brand": Categorical(np.array(codes, np.int64), names)})


def searching(queries: np.ndarray, vectors: np.ndarray) -> Search:
    def search(rows: Any, width: int, hidden: ItemLists) -> Any:
        return top_k(queries[rows], Candidates(vectors), width, hidden)

    return search


def chosen(
    asked: Reranking,
    queries: Any,
    vectors: Any,
    k: int,
    *,
    features: Features | None = None,
    seen: ItemLists | None = None,
) -> list[list[int]]:
    """Items of each row; that their scores are those of the search is checked."""
    queries, vectors = np.array(queries, np.float32), np.array(vectors, np.float32)
    lengths = np.linalg.norm(vectors, axis=1)
    inverse = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    stage = SecondStage(asked, features or Features(), vectors, inverse)
    hidden = seen or ItemLists.empty(len(queries))
    items, scores = stage.top_k(searching(queries, vectors), k, hidden)
    assert np.array_equal(np.isnan(scores), items < 0)
    for row, query in enumerate(queries):
        found = items[row][items[row] >= 0]
        assert (items[row, len(found) :] == -1).all()
        assert len(set(found)) == len(found)
        assert np.allclose(scores[row, : len(found)], vectors[found] @ query, atol=1e-5)
    return [[int(item) for item in row if item >= 0] for row in items]


SQUARE = [[4.0, 0.0], [3.0, 0.0], [2.0, 2.0], [0.0, 1.0]]
"""Scores of the query (1, 0): 4, 3, 2, 0; relevance 1, .75, .5, 0."""


@pytest.mark.parametrize(
    ("diversity", "want"),
    [
        (0.0, [0, 1, 2, 3]),
        # After 0, with its cosines 1, .7071 and 0: .9 * .75 - .1 = .575; .9 * .5 - .0707 = .3793.
        (0.1, [0, 1, 2, 3]),
        # .5 * .75 - .5 = -.125; .5 * .5 - .3536 = -.1036; 0 - 0 = 0: item 3, which is to 2 as 0 is.
        (0.5, [0, 3, 2, 1]),
        # .7 * .75 - .3 = .225; .7 * .5 - .2121 = .1379; 0. Then 2 at .1379 against 3 at 0.
        (0.3, [0, 1, 2, 3]),
        (1.0, [0, 3, 2, 1]),
    ],
)
def test_the_order_by_hand(diversity: float, want: list[int]) -> None:
    assert chosen(Reranking(diversity), [[1.0, 0.0]], SQUARE, 4) == [want]


def test_equal_items_come_in_the_order_of_the_search() -> None:
    vectors = [[0.0, 1.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    assert chosen(Reranking(0.5), [[1.0, 1.0]], vectors, 4) == [[0, 1, 2, 3]]
    assert chosen(Reranking(1.0), [[1.0, 0.5]], vectors, 4) == [[1, 0, 2, 3]]


def test_the_pool_bounds_what_diversity_may_choose() -> None:
    angles = np.linspace(0, np.pi, 300)
    circle = np.column_stack([np.cos(angles), np.sin(angles)])
    (ten,) = chosen(Reranking(1.0), [[1.0, 0.0]], circle, 10)
    assert max(ten) == 99
    (twenty,) = chosen(Reranking(1.0), [[1.0, 0.0]], circle, 20)
    assert max(twenty) == 199


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1), st.integers(1, 12))
def test_each_item_is_the_best_by_the_formula(seed: int, diversity: float, k: int) -> None:
    rng = np.random.default_rng(seed)
    queries, vectors = rng.normal(size=(5, 4)), rng.normal(size=(30, 4))
    vectors[rng.random(30) < 0.1] = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rerank, "NUMBERS", int(rng.choice([1, 300, 10**6])))
        lists = chosen(Reranking(diversity), queries, vectors, k)
    for query, items in zip(queries, lists, strict=True):
        scores = vectors @ query
        relevance = (scores - scores.min()) / (scores.max() - scores.min())
        assert items[0] == scores.argmax()
        for place in range(1, k):
            free = set(range(30)) - set(items[:place])
            value = {
                item: (1 - diversity) * relevance[item]
                - diversity * max(cosine(vectors[item], vectors[other]) for other in items[:place])
                for item in free
            }
            assert value[items[place]] > max(value.values()) - 1e-5


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    lengths = math.sqrt(one @ one) * math.sqrt(other @ other)
    return float(one @ other / lengths) if lengths else 0.0


def test_caps_by_hand() -> None:
    features = brands(1, 1, 2, 1, 0, 0, 0, 2)
    line = np.arange(8.0, 0.0, -1)[:, None]
    assert chosen(Reranking(max_per={"brand": 1}), [[1.0]], line, 5, features=features) == [
        [0, 2, 4, 5, 6]
    ]
    assert chosen(Reranking(max_per={"brand": 2}), [[-1.0]], line, 8, features=features) == [
        [7, 6, 5, 4, 3, 2, 1]
    ]


def random_features(rng: np.random.Generator, items: int) -> Features:
    tags = [np.flatnonzero(rng.random(4) < 0.3) + 1 for _ in range(items)]
    offsets = np.cumsum([0, *map(len, tags)])
    codes = np.concatenate([np.empty(0, np.int64), *tags]).astype(np.int64)
    brand = Categorical(rng.integers(0, 6, items), tuple("abcde"))
    return Features({"brand": brand, "tags": MultiValued(codes, offsets, tuple("wxyz"))})


def values_of(features: Features, name: str, item: int) -> list[int]:
    column = features.columns[name]
    if isinstance(column, MultiValued):
        return list(column.codes[column.offsets[item] : column.offsets[item + 1]])
    assert isinstance(column, Categorical)
    return [int(column.codes[item])] * bool(column.codes[item])


def may_follow(item: int, before: list[int], caps: Mapping[str, int], features: Features) -> bool:
    """Whether no value of the item has been recommended as often as it may be."""
    for name, cap in caps.items():
        counts = Counter(value for each in before for value in values_of(features, name, each))
        if any(counts[value] >= cap for value in values_of(features, name, item)):
            return False
    return True


CAPS = st.fixed_dictionaries({}, optional={name: st.integers(1, 4) for name in ("brand", "tags")})


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), CAPS.filter(bool), st.integers(1, 25))
def test_caps_leave_out_what_a_walk_down_the_ranking_would(
    seed: int, caps: dict[str, int], k: int
) -> None:
    rng = np.random.default_rng(seed)
    num_items = int(rng.integers(k, 60))
    features = random_features(rng, num_items)
    queries, vectors = rng.integers(-2, 3, (6, 2)), rng.integers(-2, 3, (num_items, 2))
    seen = ItemLists.of([np.flatnonzero(rng.random(num_items) < 0.2) for _ in range(6)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rerank, "POOL", int(rng.integers(1, 20)))
        patch.setattr(rerank, "POOL_PER_ITEM", 1)
        patch.setattr(rerank, "NUMBERS", int(rng.choice([1, 100, 10**6])))
        patch.setattr(rerank, "HIDDEN", int(rng.choice([1, 100, 10**6])))
        found = chosen(Reranking(max_per=caps), queries, vectors, k, features=features, seen=seen)
    for row, items in enumerate(found):
        hidden = set(seen.items[seen.offsets[row] : seen.offsets[row + 1]].tolist())
        want: list[int] = []
        for item in np.argsort(-(vectors @ queries[row]), kind="stable").tolist():
            if len(want) < k and item not in hidden and may_follow(item, want, caps, features):
                want.append(item)
        assert items == want


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), CAPS.filter(bool), st.integers(1, 25))
def test_caps_hold_with_diversity_and_nothing_possible_is_missing(
    seed: int, caps: dict[str, int], k: int
) -> None:
    rng = np.random.default_rng(seed)
    features = random_features(rng, 40)
    queries, vectors = rng.normal(size=(4, 3)), rng.normal(size=(40, 3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rerank, "POOL", int(rng.integers(1, 40)))
        patch.setattr(rerank, "POOL_PER_ITEM", 1)
        found = chosen(Reranking(0.4, caps), queries, vectors, k, features=features)
    for query, items in zip(queries, found, strict=True):
        assert items[0] == (vectors @ query).argmax()
        assert all(may_follow(item, items[:n], caps, features) for n, item in enumerate(items))
        left = set(range(40)) - set(items)
        assert len(items) == k or not any(may_follow(i, items, caps, features) for i in left)


def test_a_later_pool_is_compared_with_what_the_earlier_gave(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rerank, "POOL", 3)
    monkeypatch.setattr(rerank, "POOL_PER_ITEM", 1)
    # The first pool is of one brand. In the second, item 3 is better but lies where item 0 does.
    vectors = [[9.0, 0.0], [8.0, 0.0], [7.0, 0.0], [6.0, 0.0], [5.0, 9.0], [0.0, 0.0]]
    asked = Reranking(0.9, {"brand": 1})
    (found,) = chosen(asked, [[1.0, 0.0]], vectors, 2, features=brands(1, 1, 1, 2, 3, 4))
    assert found == [0, 5]
    (found,) = chosen(asked, [[1.0, 0.0]], vectors[:5], 2, features=brands(1, 1, 1, 2, 3))
    assert found == [0, 4]


@pytest.mark.parametrize(
    "diversity", [-0.1, 1.1, float("nan"), float("inf"), True, "0.3", None, [0.3], 1j]
)
def test_impossible_diversities_are_refused(diversity: Any) -> None:
    with pytest.raises(RequestError, match="diversity must be a number from 0 to 1, got "):
        Reranking(diversity)


def test_numbers_of_numpy_are_numbers() -> None:
    numbers: Any = np.float32(0.3), {"brand": np.int64(2)}
    assert Reranking(*numbers).is_asked_for
    assert not Reranking(0, {}).is_asked_for


@pytest.mark.parametrize("cap", [0, -1, 1.0, True, None, "2", float("nan")])
def test_impossible_caps_are_refused(cap: Any) -> None:
    with pytest.raises(RequestError, match="max_per: brand: must be an integer of at least 1"):
        Reranking(max_per={"brand": cap})


@pytest.mark.parametrize("caps", ["brand=2", ["brand"], 2])
def test_caps_must_be_named(caps: Any) -> None:
    with pytest.raises(RequestError, match="max_per must give a number for each feature"):
        Reranking(max_per=caps)


def test_a_cap_may_be_larger_than_any_number_of_the_machine() -> None:
    asked = Reranking(max_per={"brand": 10**30})
    assert chosen(asked, [[1.0]], [[1.0], [2.0]], 2, features=brands(1, 1)) == [[1, 0]]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("colour", "must be one of brand, tags, got 'colour'"),
        ("brnd", "did you mean brand?"),
        ("price", "price is numeric; must be one of brand, tags, got 'price'"),
    ],
)
def test_features_that_cannot_be_capped_are_refused(name: str, words: str) -> None:
    columns = random_features(np.random.default_rng(0), 3).columns
    price = Numeric(np.zeros(3, np.float32), 0.0, 1.0)
    with pytest.raises(RequestError) as refused:
        chosen(Reranking(max_per={name: 1}), [[1.0]], [[1.0]] * 3, 1,
               features=Features({**columns, "price": price}))  # fmt: skip
    assert words in str(refused.value)
    with pytest.raises(RequestError, match="have no categorical or multi-valued feature to cap"):
        chosen(Reranking(max_per={name: 1}), [[1.0]], [[1.0]] * 3, 1)


def test_caps_as_text() -> None:
    assert parse_caps(["brand=2", "a=b=1"]) == {"brand": 2, "a=b": 1}
    for bad in (["brand"], ["=2"], ["brand="], ["brand=-1"], ["brand=1.0"], ["brand=٣"],
                ["brand=1", "brand=1"], ["brand=" + "9" * 5000]):  # fmt: skip
        with pytest.raises(RequestError, match="max_per: must be FEATURE=NUMBER, once for each"):
            parse_caps(bad)
