import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import twotower
from tests.serving.conftest import ASKED, LINE, WRITTEN, composed, write_model
from twotower.common.errors import ArtifactError, RequestError
from twotower.serving import ItemFilter, Recommendations, Recommender

Make = Callable[..., Recommender]


def answers(found: Recommendations) -> list[tuple[Any, list[Any], list[float], str]]:
    return [(*(row[found.query_name], row["items"], row["scores"]), row["source"])
            for row in found.rows()]  # fmt: skip


def test_users_known_unknown_and_without_a_vector(small: Recommender) -> None:
    found = small.recommend([101, 7, 100, 102], k=3)
    assert answers(found) == [
        (101, [1001, 1002, 1003], [-2, -3, -4], "model"),
        (7, [1000, 1003, 1004], [3, 1, 1], "popularity"),
        (100, [1003, 1002, 1001], [4, 3, 2], "model"),
        (102, [1000, 1004, 1001], [3, 1, 0], "popularity"),
    ]


def test_seen_items_stay_if_asked(small: Recommender) -> None:
    found = small.recommend([100, 102], k=2, exclude_seen=False)
    assert found.item_ids == [[1004, 1003], [1000, 1003]]


def test_k_beyond_the_catalogue_and_repeated_users(small: Recommender) -> None:
    found = small.recommend([100, 100], k=10**9)
    assert found.item_ids == [[1003, 1002, 1001]] * 2
    assert found.item_idx.tolist() == [[3, 2, 1, -1, -1]] * 2
    assert np.isnan(found.scores[:, 3:]).all()
    assert found.counts.tolist() == [3, 3]


def test_nobody_asks(small: Recommender) -> None:
    for found in (small.recommend([]), small.similar_items([]), small.recommend_from_histories([])):
        assert len(found) == 0
        assert found.item_ids == []
        assert list(found.rows()) == []
        assert len(found.to_frame()) == 0


def test_who_has_seen_everything_gets_nothing(make: Make) -> None:
    model = make([[1.0], [0.0]], LINE, [(u, i) for u in range(2) for i in range(5)])
    found = model.recommend([100, 101], k=3)
    assert found.item_ids == [[], []]
    assert list(found.source) == ["model", "popularity"]


@pytest.mark.parametrize("k", [0, -1, 2.0, "3", None, True, float("nan")])
def test_impossible_lengths_are_refused(small: Recommender, k: Any) -> None:
    for ask in (small.recommend, small.recommend_from_history, small.similar_items):
        with pytest.raises(RequestError, match="k must be an integer of at least 1"):
            ask([], k)


@pytest.mark.parametrize("bad", [["100"], [100.0], [float("nan")], [None], [True], [b"100"], "100",
                                 100, [2**70], pd.Series([100.0]), [[100]], np.array(100),
                                 np.array([None])])  # fmt: skip
def test_ids_of_another_type_are_refused(small: Recommender, bad: Any) -> None:
    for ask in (small.recommend, small.recommend_from_history, small.similar_items):
        with pytest.raises(RequestError, match="ids"):
            ask(bad)
    with pytest.raises(RequestError, match="ids"):
        small.recommend([100], filter=ItemFilter(blocked=bad))


def test_ids_come_in_any_container(small: Recommender) -> None:
    want = small.recommend([100, 7]).item_ids
    for ids in (np.array([100, 7]), np.array([100, 7], np.uint8), pd.Series([100, 7]),
                pd.Index([100, 7]), pd.Series([np.int64(100), 7], dtype=object),
                (user for user in (100, 7)), {100: "a", 7: "b"}):  # fmt: skip
        assert small.recommend(ids).item_ids == want


def test_strings_stay_strings(make: Make) -> None:
    model = make([[1.0], [2.0]], LINE[:3], [], users=["007", "7"], items=["01", "1", "é"])
    found = model.recommend(["007", "7", "07"], k=2)
    assert found.item_ids == [["é", "1"], ["é", "1"], ["01", "1"]]
    assert list(found.source) == ["model", "model", "popularity"]
    assert found.queries == ["007", "7", "07"]
    assert json.loads(json.dumps(list(found.rows())))[0]["items"] == ["é", "1"]
    with pytest.raises(RequestError, match=r"user ids of this model are strings, got 7 \(int\)"):
        model.recommend([7])
    with pytest.raises(RequestError, match="nan"):
        model.recommend(pd.Series(["7", None]))


def test_text_is_written_as_in_the_data(tmp_path: Path) -> None:
    model = Recommender.load(composed(tmp_path / "m"))
    only, never = ItemFilter(allowed=[ASKED]), ItemFilter(blocked=[ASKED])
    found = model.recommend([ASKED], filter=only)
    assert answers(found) == [(WRITTEN, [WRITTEN], [2.0], "model")]
    assert model.recommend([ASKED], filter=never).item_ids == [["c"]]
    assert model.recommend_from_history([ASKED]).item_ids == [["c", "a"]]
    assert model.similar_items([ASKED], filter=never).item_ids == [["a", "c"]]


def test_text_of_a_model_that_does_not_say_how_it_is_written_stays(make: Make) -> None:
    model = make([[1.0]], LINE[:2], [], users=[ASKED], items=["a", "b"])
    assert list(model.recommend([ASKED, WRITTEN]).source) == ["model", "popularity"]


@pytest.mark.parametrize(
    ("given", "want"),
    [
        (ItemFilter(), [1003, 1002, 1001]),
        (ItemFilter(allowed=[1001, 1002, 1004, 55]), [1002, 1001]),
        (ItemFilter(blocked=[1003, 55]), [1002, 1001]),
        (ItemFilter(allowed=[1001, 1003], blocked=[1003]), [1001]),
        (ItemFilter(allowed=[]), []),
        (np.array([True, True, False, False, True]), [1001]),
        (lambda item: item % 2 == 0, [1002]),
    ],
)
def test_filters(small: Recommender, given: Any, want: list[int]) -> None:
    model, popular = small.recommend([100, 102], filter=given).item_ids
    assert model == want
    assert set(popular) <= set(want) | {1000, 1004}
    history = small.recommend_from_history([1000, 1004], filter=given)
    assert set(history.item_ids[0]) == set(want)
    assert set(small.similar_items([1000], filter=given).item_ids[0]) <= set(want) | {1004}


@pytest.mark.parametrize("given", [np.ones(4, bool), np.ones(5), [1001], "1001"])
def test_unusable_filters_are_refused(small: Recommender, given: Any) -> None:
    with pytest.raises(RequestError, match=r"mask|filter"):
        small.recommend([100], filter=given)


def test_fold_in_is_the_mean_of_the_items(make: Make) -> None:
    items = [[3.0, 0.0], [0.0, 1.0], [1.0, 1.0], [-1.0, 0.0], [0.0, 0.0]]
    model = make([[1.0, 0.0]], items, [], similarity="dot")
    found = model.recommend_from_history([1000, 1001, 1001, 99], k=2)
    assert answers(found) == [(0, [1002, 1004], [2, 0], "fold-in")]  # (1.5, 0.5) . (1, 1)
    kept = model.recommend_from_history([1000, 1001], k=1, exclude_seen=False)
    assert answers(kept) == [(0, [1000], [4.5], "fold-in")]


def test_fold_in_has_length_one_for_the_cosine(make: Make) -> None:
    model = make([[1.0, 0.0]], np.eye(2), [], similarity="cosine")
    found = model.recommend_from_history([1000, 1001], exclude_seen=False)
    assert found.scores[0].tolist() == pytest.approx([0.5**0.5] * 2)


def test_histories_of_which_nothing_is_known_get_popular_items(make: Make) -> None:
    model = make([[1.0]], [[1.0], [0.0]], [(0, 1)])
    found = model.recommend_from_histories([[], [99], [1001], [1000, 1001]])
    assert list(found.source) == ["popularity", "popularity", "popularity", "fold-in"]
    assert found.item_ids == [[1001, 1000], [1001, 1000], [1000], []]
    assert found.queries == [0, 1, 2, 3]


def test_the_latest_item_of_a_history_counts_most(make: Make) -> None:
    pooled = np.eye(3, dtype=np.float32)
    model = make([[1.0, 0.0, 0.0]], np.eye(3), [], history=(pooled, 1.0), history_decay=0.5)
    # 1000 comes last again, before it 1001: weights 1 and 1/2, over two items.
    found = model.recommend_from_history([1000, 99, 1001, 1000], k=2, exclude_seen=False)
    assert answers(found) == [(0, [1000, 1001], [0.5, 0.25], "history")]
    other = model.recommend_from_history([1000, 1001], k=2, exclude_seen=False)
    assert answers(other) == [(0, [1001, 1000], [0.5, 0.25], "history")]
    assert model.recommend_from_history([1002, 1000, 1001], k=3).item_ids == [[]]


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
def test_a_pooling_tower_serves_new_users_as_it_did_its_own(make: Make, similarity: str) -> None:
    rng = np.random.default_rng(0)
    items, pooled = rng.normal(size=(2, 30, 6)).astype(np.float32)
    histories = [np.flatnonzero(rng.random(30) < 0.2) for _ in range(8)]
    users = np.array([pooled[h].sum(axis=0) * len(h) ** -0.4 for h in histories])
    if similarity == "cosine":
        users /= np.linalg.norm(users, axis=1, keepdims=True)
        items /= np.linalg.norm(items, axis=1, keepdims=True)
    seen = [(user, int(item)) for user, h in enumerate(histories) for item in h]
    model = make(users, items, seen, similarity=similarity, history=(pooled, 0.4))
    known = model.recommend([100 + user for user in range(8)])
    new = model.recommend_from_histories([(1000 + h).tolist() for h in histories])
    assert set(new.source) == {"history"}
    assert new.item_ids == known.item_ids
    assert np.allclose(new.scores, known.scores, atol=1e-5)


def test_similar_items_by_cosine_without_itself(make: Make) -> None:
    items = [[2.0, 0.0], [100.0, 100.0], [1.0, 0.1], [0.0, 0.0], [-1.0, 0.0]]
    model = make([[1.0, 0.0]], items, [])
    found = model.similar_items([1000, 55, 1003, 1000], k=2)
    assert found.item_ids == [[1002, 1001], [], [], [1002, 1001]]
    assert list(found.source) == ["model", "unknown", "unknown", "model"]
    assert found.scores[0].tolist() == pytest.approx([1 / 1.01**0.5, 0.5**0.5])
    assert model.similar_items([1000], k=99).counts.tolist() == [4]


@pytest.mark.parametrize("pooled", [True, False])
def test_popularity_ranks_for_new_users_and_makes_no_items_similar(
    make: Make, pooled: bool
) -> None:
    """The last dimension is the popularity: item 1002 is liked as little as 1001, but popular."""
    items = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, -0.5], [0.0, 1.0, 0.5], [0.6, 0.8, 0.0]])
    history = (items * [1.0, 1.0, 0.0], 0.5) if pooled else None
    model = make(
        [[1.0, 0.0, 1.0]], items, [(0, 0)],
        similarity="cosine", history=history, popularity_weight=0.3,
    )  # fmt: skip
    answer = model.recommend_from_history([1000], exclude_seen=False)
    assert answer.scores[0].tolist() == pytest.approx([1.0, 0.6, 0.5, -0.5])
    assert answer.item_ids[0] == [1000, 1003, 1002, 1001]
    similar = model.similar_items([1001])
    assert similar.item_ids[0] == [1002, 1003, 1000]
    assert similar.scores[0][:3].tolist() == pytest.approx([1.0, 0.8, 0.0])
    assert model.recommend_from_history([7]).source == ["popularity"]


def test_frame(small: Recommender) -> None:
    frame = small.recommend([101, 7], k=2).to_frame()
    assert frame.to_dict("list") == {
        "user_id": [101, 101, 7, 7],
        "rank": [1, 2, 1, 2],
        "item_id": [1001, 1002, 1000, 1003],
        "score": [-2, -3, 3, 1],
        "source": ["model", "model", "popularity", "popularity"],
    }


def test_ids_stay_integers_in_a_frame_without_rows(small: Recommender) -> None:
    nothing = small.recommend([101], filter=ItemFilter(allowed=[])).to_frame()
    assert nothing["item_id"].dtype == np.int64
    both = pd.concat([nothing, small.recommend([101], k=1).to_frame()])
    assert both["item_id"].tolist() == [1001]
    assert both["item_id"].dtype == np.int64


def test_a_replaced_folder_does_not_change_an_open_model(tmp_path: Path) -> None:
    write_model(tmp_path / "m", [[1.0]], LINE[:2], [], items=["a", "b"])
    model = Recommender.load(tmp_path / "m", mmap=sys.platform != "win32")
    write_model(tmp_path / "m", [[-1.0]], LINE[:2], [(0, 0)], items=["x", "y"])
    assert model.recommend([100]).item_ids == [["b", "a"]]
    assert Recommender.load(tmp_path / "m").recommend([100]).item_ids == [["y"]]


def test_without_memory_mapping_answers_are_the_same(small: Recommender) -> None:
    read = Recommender.load(small.artifacts.folder, mmap=False)
    assert not isinstance(read.artifacts.user_vecs.base, np.memmap)
    assert read.recommend([100, 7]).item_ids == small.recommend([100, 7]).item_ids


def test_no_model(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="not a complete model folder"):
        Recommender.load(tmp_path)


def test_from_elsewhere_the_folder_is_named_in_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    looked_at = re.escape(str(tmp_path / ".artifacts_best"))
    with pytest.raises(ArtifactError, match=f"^{looked_at}: no such folder; run this in the repo"):
        Recommender.load()


def test_an_opened_model_is_found_after_a_change_of_folder(
    small: Recommender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(small.artifacts.folder.parent)
    opened = Recommender.load(small.artifacts.folder.name)
    monkeypatch.chdir("/")
    assert len(opened.artifacts.catalogue.users) == small.num_users


NOT_PINNED = {"torch", "mlflow", "optuna", "plotly", "pydantic", "scipy", "sqlalchemy", "usearch",
              "yaml"}  # fmt: skip
"""What the requirements of a registered model leave out."""


def test_the_package_stays_cheap_and_serving_needs_no_torch(small: Recommender) -> None:
    code = (
        "import sys, twotower; assert 'pandas' not in sys.modules;"
        f"twotower.Recommender.load({str(small.artifacts.folder)!r}).recommend([100, 7]);"
        f"assert not {NOT_PINNED} & {{name.partition('.')[0] for name in sys.modules}}"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_package_has_no_other_names() -> None:
    assert twotower.Recommender is Recommender
    with pytest.raises(AttributeError, match="no attribute 'recommender'"):
        _ = twotower.recommender  # type: ignore[attr-defined]
