import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twotower.data.interactions import Interactions, ItemLists
from twotower.data.vocabulary import Vocabulary

PAIRS = st.lists(st.tuples(st.integers(-1, 3), st.integers(-1, 4)), max_size=30)


def interactions(pairs: list[tuple[int, int]]) -> Interactions:
    return Interactions(
        user_idx=np.array([user for user, _ in pairs], dtype=np.int64),
        item_idx=np.array([item for _, item in pairs], dtype=np.int64),
        weight=np.ones(len(pairs), dtype=np.float32),
        timestamp=np.zeros(len(pairs), dtype=np.int64),
    )


@given(PAIRS)
def test_distinct_items_equal_a_set_per_user(pairs):
    lists = interactions(pairs).distinct_items(num_users=4, num_items=5)
    expected = [sorted({i for u, i in pairs if u == user and i >= 0}) for user in range(4)]
    got = [
        lists.items[a:b].tolist() for a, b in zip(lists.offsets, lists.offsets[1:], strict=False)
    ]
    assert got == expected
    assert lists.counts.tolist() == [len(items) for items in expected]


@given(PAIRS, st.lists(st.integers(-1, 3), max_size=6))
def test_select_and_rows(pairs, users):
    lists = interactions(pairs).distinct_items(4, 5)
    chosen = lists.select(np.array(users, dtype=np.int64))
    own = [sorted({i for u, i in pairs if u == user >= 0 and i >= 0}) for user in users]
    assert chosen.counts.tolist() == [len(items) for items in own]
    assert chosen.items.tolist() == [item for items in own for item in items]
    rows, items = lists.rows(1, 3)
    expected = [(u - 1, i) for u, i in sorted(set(pairs)) if u in (1, 2) and i >= 0]
    assert list(zip(rows.tolist(), items.tolist(), strict=True)) == expected


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=30))
def test_each_row_has_the_position_of_its_pair(pairs):
    lists, pair_of_row = interactions(pairs).distinct_pairs(4, 5)
    users, items = lists.rows(0, 4)
    assert list(zip(users[pair_of_row], items[pair_of_row], strict=True)) == pairs
    assert list(zip(users, items, strict=True)) == sorted(set(pairs))
    assert lists.keys(5).tolist() == [5 * user + item for user, item in sorted(set(pairs))]


def test_lists_of_arrays():
    lists = ItemLists.of([np.array([2, 5]), np.array([], dtype=np.int64), np.array([1])])
    assert lists.offsets.tolist() == [0, 2, 2, 3]
    assert lists.items.tolist() == [2, 5, 1]
    assert ItemLists.of([]).counts.tolist() == []


def test_empty_lists():
    lists = ItemLists.empty(3)
    assert lists.counts.tolist() == [0, 0, 0]
    assert lists.keys(5).tolist() == []


@pytest.mark.parametrize("ids", [[1, 1], ["a", None]])
def test_a_vocabulary_holds_distinct_ids(ids):
    with pytest.raises(ValueError, match="distinct ids without nulls"):
        Vocabulary(pd.Index(ids))


def test_a_vocabulary_encodes_and_extends():
    vocabulary = Vocabulary(pd.Index(["b", "a"]))
    assert vocabulary.encode(pd.Series(["a", "x"])).tolist() == [1, -1]
    assert vocabulary.encode(pd.Series(["a", "x", "b", "a", None])).tolist() == [1, -1, 0, 1, -1]
    assert vocabulary.extend(pd.Series(["a"])) is vocabulary
    assert vocabulary.extend(pd.Series(["z", "c", "a"])).ids.tolist() == ["b", "a", "c", "z"]
    assert Vocabulary(pd.Index([1])).encode(pd.Series(["1"])).tolist() == [-1]


@pytest.mark.parametrize(("seconds", "differ"), [([7, 7], False), ([0, 1], True), ([], False)])
def test_rows_have_times_if_these_differ(seconds: list[int], *, differ: bool) -> None:
    index, weight = np.zeros(len(seconds), np.int64), np.ones(len(seconds), np.float32)
    rows = Interactions(index, index, weight, np.array(seconds, dtype=np.int64))
    assert rows.has_times is differ
