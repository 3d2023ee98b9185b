import numpy as np
import pyarrow as pa
import pytest

from tests.ingest.conftest import Shop
from twotower.config.training import ModelConfig, TrainConfig
from twotower.data.prepared import fingerprint, read_catalogue, write_catalogue
from twotower.data.text import Text
from twotower.training.fit import fit

OPTIONS = {"encoder": "tfidf", "dims": 64}
NAMES = ["oak desk", None, "wool scarf", "oak desk", "wool hat"]


def encoded(cells: list[str | None], in_train: list[bool] | None = None, **options) -> Text:
    values = pa.chunked_array([cells], pa.string())
    rows = np.array([True] * len(cells) if in_train is None else in_train, dtype=bool)
    return Text.encode(values, rows, "items: feature 'name'", OPTIONS | options)


def test_every_text_has_a_vector_and_a_missing_one_zeros() -> None:
    column = encoded(NAMES)
    assert column.values.dtype == np.float32
    assert np.linalg.norm(column.values, axis=1) == pytest.approx([1, 0, 1, 1, 1])
    assert np.array_equal(column.values[0], column.values[3])


def test_only_texts_of_the_training_split_are_learned_from() -> None:
    in_train = [True, True, True, True, False]
    whole = encoded(NAMES, in_train)
    without = encoded([*NAMES[:4], "something else"], in_train)
    assert np.array_equal(whole.axes, without.axes)
    assert np.array_equal(whole.idf, without.idf)
    assert whole.values[4].any()  # though it was not learned from


@pytest.mark.parametrize("cells", [[], [None], [None, None, None], ["?!"]])
def test_texts_that_say_nothing_are_zeros(cells: list[str | None]) -> None:
    column = encoded(cells, [False] * len(cells))
    assert column.values.shape == (len(cells), 1)
    assert not column.values.any()


def test_dims_bounds_the_width() -> None:
    assert encoded(NAMES, dims=2).width == 2


def test_further_texts_lie_where_the_same_texts_do() -> None:
    column = encoded(NAMES)
    more, unknown = column.encode_more(pa.chunked_array([["wool hat", None, "Ω"]]), "x")
    assert np.allclose(more.values[0], column.values[4], atol=1e-6)
    assert not more.values[1:].any()
    assert unknown == 1
    assert len(column.concat(more).values) == 8


def test_what_it_learned_survives_the_files(tmp_path) -> None:
    shop = Shop(tmp_path)
    shop.data["items"] = {"features": {"name": "text", "a/b": "text"}}
    shop.write("items.csv", "item_id,name,a/b\n10,Oak desk,\n11,Oak lamp,x\n12,,y\n")
    shop.run()
    catalogue = shop.catalogue()
    write_catalogue(tmp_path / "copy", catalogue)
    again = read_catalogue(tmp_path / "copy").items.features.columns
    for name, column in catalogue.items.features.columns.items():
        for key, value in vars(column).items():
            assert np.array_equal(getattr(again[name], key), value)
    one, more = pa.chunked_array([["Oak desk"]]), again["name"].encode_more
    assert np.allclose(more(one, "x")[0].values[0], again["name"].values[0], atol=1e-6)


def test_what_it_learned_is_in_the_fingerprint(tmp_path) -> None:
    shop = Shop(tmp_path)
    shop.data["items"] = {"features": {"name": "text"}}
    shop.write("items.csv", "item_id,name\n10,Oak desk\n11,Oak lamp\n12,\n")
    shop.run()
    names = [f"vocabulary/items.0.{array}.npy" for array in ("axes", "buckets", "idf")]
    assert set(names) < set(fingerprint(shop.output))


def test_a_tower_learns_from_it(tmp_path) -> None:
    shop = Shop(tmp_path)
    shop.data["items"] = {"features": {"name": "text"}}
    shop.write("items.csv", "item_id,name\n10,Oak desk\n11,Oak desk\n12,Mat\n")
    shop.run()
    catalogue = shop.catalogue()
    config = ModelConfig(dim=4, item_tower="features")
    rows = catalogue.encode(shop.read("train"))
    _, items = fit(catalogue, rows, config, TrainConfig(epochs=1), seed=1).vectors()
    assert np.array_equal(items[0], items[1])
    assert not np.allclose(items[0], items[2])
