"""A model of small data of which one item has no rows: what its vector is, new ones must get."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.conftest import catalogue_of, events
from twotower.artifacts import write_artifacts
from twotower.common.errors import DataError, RequestError
from twotower.config.training import ModelConfig, TrainConfig
from twotower.data.prepared import Catalogue
from twotower.notebook.fitted import FittedRecommender
from twotower.serving import ItemFilter, Recommender
from twotower.training.fit import fit

COLD = 1005
"""In the catalogue and in no row: the sixth, so blue and with the tag c."""
PRICE = 10.0 + 3.0 * float(np.linspace(-1, 1, 24, dtype=np.float32)[5])
LIKE_COLD = {"colour": "blue", "tags": "c", "price": PRICE}
MODELS: dict[str, dict[str, Any]] = {
    "sum of id and features": {},
    "features alone, cosine": {"item_tower": "features", "similarity": "cosine"},
    "hidden layers": {"hidden": [6]},
    "popularity": {"popularity_weight": 0.5, "similarity": "cosine"},
    "history": {"user_tower": "history", "similarity": "cosine"},
    "history and popularity": {"user_tower": "both", "popularity_weight": 0.5},
    "own history table": {"user_tower": "both", "init": "ridge"},
    "sequence": {"user_tower": "sequence", "sequence_heads": 1, "similarity": "cosine"},
}
NEW = {"item_id": [2000, 2001], "colour": ["red", "pink"], "tags": ["a|b|zzz", None]}


def trained(folder: Path, *, index: str | None = None, **model: Any) -> Recommender:
    """A model of the folder, of 30 users and 24 items."""
    frame = events(seed=0)
    catalogue: Catalogue = catalogue_of(frame, features=True)
    rows = catalogue.encode(frame[frame["item_id"] != COLD])
    config = ModelConfig(dim=8, **model)
    towers = fit(catalogue, rows, config, TrainConfig(epochs=2, lr=0.05), seed=1)
    meta = {"model": config.model_dump(mode="json")}
    write_artifacts(folder, towers, catalogue, rows, meta, index=index)
    return Recommender.load(folder)


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest, tmp_path_factory: Any) -> Recommender:
    return trained(tmp_path_factory.mktemp("m") / "m", **MODELS[request.param])


@pytest.fixture(scope="module")
def plain(tmp_path_factory: Any) -> Recommender:
    return trained(tmp_path_factory.mktemp("m") / "m")


def test_a_new_item_gets_the_vector_of_one_like_it_that_training_never_saw(
    model: Recommender,
) -> None:
    encoded = model.encode_items(pd.DataFrame([LIKE_COLD]))
    [cold] = model.artifacts.item_ids.encode([COLD])
    assert model.cold_items() == [COLD]
    assert encoded.item_ids is None
    assert encoded.vectors.dtype == np.float32
    assert encoded.vectors[0] == pytest.approx(model.artifacts.item_vecs[cold], abs=1e-5)
    assert encoded.unknown == {"colour": 0, "price": 0, "tags": 0}


def test_added_items_are_recommended_searched_and_filtered(model: Recommender) -> None:
    larger = model.add_items(pd.DataFrame(NEW))
    assert (model.num_items, larger.num_items) == (24, 26)
    assert larger.cold_items() == [COLD, 2000, 2001]
    vectors = model.encode_items(pd.DataFrame(NEW)).vectors
    users = model.artifacts.user_ids.all
    found = larger.recommend(users, k=26, exclude_seen=False)
    place = np.argmax(found.item_idx == 24, axis=1)
    scores = found.scores[np.arange(30), place]
    assert scores == pytest.approx(model.artifacts.user_vecs @ vectors[0], abs=1e-5)
    before = model.recommend(users, k=24, exclude_seen=False)
    old = found.item_idx[found.item_idx < 24].reshape(30, 24)
    assert np.array_equal(old, before.item_idx)
    only = larger.recommend(users[:1], filter=ItemFilter(allowed=[2001, COLD]))
    assert set(only.item_ids[0]) == {2001, COLD}
    assert larger.similar_items([2000], k=25).counts.tolist() == [25]
    assert larger.recommend([7], k=26).item_ids[0][-2:] == [2000, 2001]


def test_a_new_item_is_known_in_histories(model: Recommender) -> None:
    larger = model.add_items(pd.DataFrame(NEW))
    found = larger.recommend_from_history([1003, 2000], k=26)
    assert not set(found.item_ids[0]) & {1003, 2000}
    alone = larger.recommend_from_history([2000], k=3)
    own_table = model.artifacts.meta["model"]["init"] == "ridge"
    assert (alone.source[0] == "popularity") == own_table
    without = larger.recommend_from_history([1003], k=26).scores[0, 0]
    assert (found.scores[0, 0] == pytest.approx(without)) == own_table


def test_items_are_added_to_what_was_added(plain: Recommender) -> None:
    more = pd.DataFrame({"item_id": [3000], "price": [12.5]})
    twice = plain.add_items(pd.DataFrame(NEW)).add_items(more)
    assert twice.artifacts.meta["num_items_added"] == 3
    want = plain.encode_items(more).vectors[0]
    assert np.array_equal(twice.artifacts.item_vecs[-1], want)
    assert np.array_equal(twice.artifacts.towers.vectors()[1], twice.artifacts.item_vecs)


def test_a_fitted_model_that_is_larger_knows_titles_and_scores(plain: Recommender) -> None:
    assessment: Any = object()
    fitted = FittedRecommender(plain.artifacts, {1003: "Cup"}, assessment)
    larger = fitted.add_items(pd.DataFrame(NEW))
    assert isinstance(larger, FittedRecommender)
    assert (larger.titles, larger.assessment) == ({1003: "Cup"}, assessment)


@pytest.mark.parametrize("dtype", ["f32", "int8"])
def test_the_index_finds_added_items(tmp_path: Path, dtype: str) -> None:
    if dtype == "f32":
        pytest.importorskip("usearch", reason='needs pip install "twotower[index]"')
    exact = trained(tmp_path / "m", index=dtype)
    near = Recommender.load(tmp_path / "m", approximate=True)
    frame = pd.DataFrame(NEW)
    users = exact.artifacts.user_ids.all
    want, got = (one.add_items(frame).recommend(users, 26, exclude_seen=False)
                 for one in (exact, near))  # fmt: skip
    assert got.item_ids == want.item_ids
    assert near.recommend(users, 24, exclude_seen=False).counts.tolist() == [24] * 30


def test_cells_may_be_lists_and_what_is_unknown_is_counted(plain: Recommender) -> None:
    text = pd.DataFrame({"colour": ["red", "pink"], "tags": ["b | a", "x|y"]})
    lists = pd.DataFrame({"colour": ["red", "pink"], "tags": [["a", "b"], ["x", "y"]]})
    one, other = plain.encode_items(text), plain.encode_items(lists)
    assert np.array_equal(one.vectors, other.vectors)
    assert one.unknown == {"colour": 1, "tags": 2}
    assert one.missing == ["price"]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"colour": ["red"], "shade": [1]}, "items: the model has no item feature 'shade'; it has"
         " colour, price, tags"),
        ({"item_id": [1]}, "items: has no feature of the model's items"),
        ({"price": ["cheap", "3"]}, "items: column 'price' is a numeric feature.*1 invalid row: "
         r"row 1 \('cheap'\); correct these cells"),
        ({"price": []}, "items: the data frame has no rows"),
        ({"item_id": ["5"], "price": [1]}, r"item ids of this model are integers, got '5' \(str\)"),
    ],
)  # fmt: skip
def test_frames_that_cannot_be_encoded(plain: Recommender, frame: Any, message: str) -> None:
    with pytest.raises((DataError, RequestError), match=message):
        plain.encode_items(pd.DataFrame(frame))


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([1003, 2000], r"column 'item_id' must be new, but the model has the item; 1 invalid row: "
         r"row 1 \(1003\)"),
        ([2000, 2000], r"must not repeat an id; 1 invalid row: row 2 \(2000\)"),
        ([None, 2000], "item ids of this model are integers, got"),
        (None, "the data frame needs a column item_id"),
    ],
)  # fmt: skip
def test_items_that_cannot_be_added(plain: Recommender, ids: Any, message: str) -> None:
    frame = pd.DataFrame({"price": [1.0, 2.0]} | ({} if ids is None else {"item_id": ids}))
    with pytest.raises((DataError, RequestError), match=message):
        plain.add_items(frame)


def test_a_known_item_may_be_encoded(plain: Recommender) -> None:
    encoded = plain.encode_items(pd.DataFrame({"item_id": [1003], "price": [1.0]}))
    assert encoded.item_ids == [1003]


@pytest.mark.parametrize(
    ("options", "epochs", "message"),
    [
        ({"item_tower": "id"}, 2, "reads no side features.*model.item_tower: both"),
        ({"features": False}, 2, "reads no side features.*model.features: true"),
        (
            {"init": "spectral", "similarity": "cosine"},
            0,
            "side features add nothing.*train.epochs: 0",
        ),
    ],
)
def test_a_model_that_knows_nothing_of_features_says_so(
    tmp_path: Path, options: Any, epochs: int, message: str
) -> None:
    frame = events(seed=0)
    catalogue = catalogue_of(frame, features=True)
    config, rows = ModelConfig(dim=8, **options), catalogue.encode(frame)
    towers = fit(catalogue, rows, config, TrainConfig(epochs=epochs), seed=1)
    write_artifacts(tmp_path / "m", towers, catalogue, rows, {"model": config.model_dump()})
    with pytest.raises(RequestError, match=message):
        Recommender.load(tmp_path / "m").add_items(pd.DataFrame(NEW))
