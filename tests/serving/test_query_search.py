"""What is recommended with a second stage: diversity, and caps per feature."""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.serving.conftest import LINE, write_model
from twotower.common.errors import ArtifactError, RequestError
from twotower.data.features import Categorical, Features, MultiValued
from twotower.serving import ItemFilter, Recommender

Make = Callable[..., Recommender]
FEATURES = Features(
    {
        "brand": Categorical(np.array([1, 1, 2, 1, 1]), ("x", "y")),
        "tags": MultiValued(np.array([1, 1, 2]), np.array([0, 1, 1, 1, 1, 3]), ("t", "u")),
    }
)
RNG = np.random.default_rng(0)


@pytest.fixture
def shop(make: Make) -> Recommender:
    """Users 100 (likes high items) and 101 (zero vector); items 1000..1004, 1000 is popular."""
    return make([[1.0], [0.0]], LINE, [(0, 3), (1, 0), (1, 0), (1, 1)], features=FEATURES)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty users and 500 items with five brands, and an index where there may be one."""
    users, items = RNG.normal(size=(30, 8)), RNG.normal(size=(500, 8))
    brands = Features({"brand": Categorical(RNG.integers(0, 6, 500), tuple("abcde"))})
    folder = tmp_path_factory.mktemp("many") / "m"
    index = "f32" if find_spec("usearch") else None
    return write_model(folder, users, items, [], features=brands, index=index)


def test_caps_of_known_and_unknown_users_and_histories(shop: Recommender) -> None:
    found = shop.recommend([100, 7, 101], k=3, max_per={"brand": 1})
    assert found.item_ids == [[1004, 1002], [1000, 1002], [1003, 1002]]
    assert found.scores[:, :2].tolist() == [[5, 3], [2, 0], [1, 0]]
    assert np.isnan(found.scores[:, 2]).all()
    assert list(found.source) == ["model", "popularity", "popularity"]
    assert shop.recommend([100], max_per={"tags": 1}).item_ids == [[1004, 1002, 1001]]
    both = shop.recommend([100], exclude_seen=False, max_per={"tags": 1, "brand": 2})
    assert both.item_ids == [[1004, 1003, 1002]]
    history = shop.recommend_from_history([1004], k=3, max_per={"brand": 1})
    assert (history.item_ids, list(history.source)) == ([[1003, 1002]], ["fold-in"])


def test_a_filter_and_a_length_beyond_the_catalogue(shop: Recommender) -> None:
    only = ItemFilter(allowed=[1000, 1001, 1002])
    found = shop.recommend([100, 7], 10**9, filter=only, diversity=0.5, max_per={"brand": 1})
    assert found.item_ids == [[1002, 1001], [1000, 1002]]
    nothing = ItemFilter(allowed=[])
    assert shop.recommend([100, 7], filter=nothing, max_per={"brand": 1}).item_ids == [[], []]
    assert shop.recommend([], diversity=0.5).item_ids == []


def test_popular_items_differ_by_their_vectors(make: Make) -> None:
    items = [[1.0, 0.0], [2.0, 0.0], [0.0, 1.0], [0.0, 0.0]]
    seen = [(0, 0)] * 9 + [(0, 1)] * 8 + [(0, 2)] * 3
    model = make([[0.0, 0.0]], items, seen)
    assert model.recommend([7], k=4).item_ids == [[1000, 1001, 1002, 1003]]
    found = model.recommend([7], k=4, diversity=0.6)
    assert found.item_ids == [[1000, 1002, 1003, 1001]]
    assert found.scores.tolist() == [[9, 3, 0, 8]]


def test_the_popularity_of_an_item_is_no_likeness(make: Make) -> None:
    """The last dimension is not of the towers: items 1000 and 1001 have it in common."""
    items = [[1.0, 0.0, 9.0], [0.0, 1.0, 9.0], [1.0, 0.1, 8.5]]
    model = make([[0.1, 0.0, 1.0]], items, [], popularity_weight=0.3)
    assert model.recommend([100], k=3, diversity=1.0).item_ids == [[1000, 1001, 1002]]


@pytest.mark.parametrize("how", [{"diversity": 0.3}, {"max_per": {"brand": 3}},
                                 {"diversity": 0.2, "max_per": {"brand": 1}}])  # fmt: skip
def test_an_index_finds_the_same(many: Path, how: Any) -> None:
    pytest.importorskip("usearch")
    exact, index = Recommender.load(many), Recommender.load(many, approximate=True)
    everyone = exact.artifacts.user_ids.all
    want, found = (model.recommend(everyone, 20, **how).item_idx for model in (exact, index))
    assert np.isin(want, found).mean() > 0.95
    assert np.array_equal((want >= 0).sum(axis=1), (found >= 0).sum(axis=1))


@pytest.mark.parametrize("dtype", ["int8", "binary"])
def test_an_index_of_codes_lies_in_the_folder_and_is_checked(tmp_path: Path, dtype: str) -> None:
    users, items = RNG.normal(size=(20, 8)), RNG.normal(size=(3_000, 8))
    folder = write_model(tmp_path / "m", users, items, [], index=dtype)
    exact, index = Recommender.load(folder), Recommender.load(folder, approximate=True)
    everyone = exact.artifacts.user_ids.all
    want, found = (model.recommend(everyone, 10) for model in (exact, index))
    assert np.isin(want.item_idx, found.item_idx).mean() > 0.95
    assert np.array_equal(found.scores, np.sort(found.scores, axis=1)[:, ::-1])
    content = (folder / "index.flat").read_bytes()
    (folder / "index.flat").write_bytes(content[:-1] + b"x")
    with pytest.raises(ArtifactError, match=r"index\.flat"):
        Recommender.load(folder, approximate=True)
    (folder / "index.flat").write_bytes(content[:-64])
    with pytest.raises(ArtifactError, match="cut short"):
        Recommender.load(folder, approximate=True, verify=False)


def test_without_it_nothing_is_read_or_changed(many: Path) -> None:
    model = Recommender.load(many)
    plain = model.recommend([100, 7, 101], 20)
    off = model.recommend([100, 7, 101], 20, diversity=0, max_per={})
    assert np.array_equal(plain.item_idx, off.item_idx)
    assert plain.scores.tobytes() == off.scores.tobytes()
    assert "catalogue" not in vars(model.artifacts)
    # Caps that nothing reaches leave the best items, too.
    loose = model.recommend([100, 7, 101], 20, max_per={"brand": 20})
    assert np.array_equal(plain.item_idx, loose.item_idx)


def test_threads_share_a_model(many: Path) -> None:
    want = Recommender.load(many).recommend([100], 20, diversity=0.3, max_per={"brand": 3})
    model = Recommender.load(many)
    with ThreadPoolExecutor(8) as pool:
        answers = [
            pool.submit(model.recommend, [100], 20, diversity=0.3, max_per={"brand": 3})
            for _ in range(16)
        ]
    assert all(answer.result().item_ids == want.item_ids for answer in answers)


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"diversity": 2}, "diversity must be a number from 0 to 1, got 2"),
        ({"max_per": {"brand": 0}}, "max_per: brand: must be an integer of at least 1, got 0"),
        ({"max_per": {"brend": 1}}, "must be one of brand, tags, got 'brend'; did you mean brand?"),
    ],
)
def test_impossible_requests_are_refused_even_if_nobody_asks(
    shop: Recommender, how: Any, words: str
) -> None:
    for ask in (shop.recommend, shop.recommend_from_history, shop.recommend_from_histories):
        with pytest.raises(RequestError) as refused:
            ask([], **how)
        assert words in str(refused.value)


def test_features_of_a_folder_that_was_replaced_are_not_taken(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m", [[1.0]], LINE, [], features=FEATURES)
    early, late = (Recommender.load(folder, mmap=sys.platform != "win32") for _ in range(2))
    early.warm_up()
    codes = Categorical(np.array([1, 2, 1, 2, 1]), ("x", "y"))
    write_model(folder, [[1.0]], LINE, [], features=Features({"brand": codes}))
    assert early.recommend([100], max_per={"brand": 1}).item_ids == [[1004, 1002]]
    with pytest.raises(ArtifactError, match="another model than when it was opened"):
        late.recommend([100], max_per={"brand": 1})
