"""Tables of new items, with features of every kind."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tests.conftest import events
from twotower.artifacts import write_artifacts
from twotower.common.errors import DataError, RequestError
from twotower.config.data import DataConfig
from twotower.config.declared_features import FeatureConfig
from twotower.config.training import ModelConfig, TrainConfig
from twotower.data.features import KINDS, Features
from twotower.data.id_text import IdText
from twotower.data.prepared import Catalogue, Entities
from twotower.data.vocabulary import Vocabulary
from twotower.ingest.problems import Problems
from twotower.new_items.frames import FrameSource
from twotower.new_items.read import read_new_items
from twotower.serving import Recommender
from twotower.training.fit import fit

NAMES = ["blue lamp", "red lamp", "green chair", "white chair"] * 6
DECLARED = {
    "look": FeatureConfig(kind="vector"),
    "name": FeatureConfig(kind="text", dims=8),
    "tags": FeatureConfig(kind="multi_valued", separator=" "),
}


def features() -> Features:
    """Of 24 items."""
    rng = np.random.default_rng(0)
    look = pa.array(rng.normal(size=(24, 3)).astype(np.float32).tolist(), pa.list_(pa.float32(), 3))
    tags = [name.split() for name in NAMES]
    cells = {"look": look, "name": pa.array(NAMES), "tags": pa.array(tags)}
    return Features(
        {
            name: KINDS[one.kind].encode(
                pa.chunked_array([cells[name]]), np.ones(24, bool), name, one.model_dump()
            )
            for name, one in DECLARED.items()
        }
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: Any) -> Recommender:
    """Ids are text in which letters and accents are composed."""
    frame = events(seed=0).astype({"item_id": str})
    items = Vocabulary(pd.Index(sorted(frame["item_id"].unique())), IdText(nfc=True))
    users = Vocabulary(pd.Index(np.sort(frame["user_id"].unique())))
    catalogue = Catalogue(Entities(users, Features()), Entities(items, features()))
    rows, config = catalogue.encode(frame), ModelConfig(dim=8)
    towers = fit(catalogue, rows, config, TrainConfig(epochs=1), seed=1)
    folder: Path = tmp_path_factory.mktemp("m") / "m"
    write_artifacts(folder, towers, catalogue, rows, {"model": config.model_dump(mode="json")})
    return Recommender.load(folder)


def test_text_vectors_and_lists_are_read_as_in_training(model: Recommender) -> None:
    frame = pd.DataFrame(
        {
            "item_id": [" Jose\u0301", "b"],
            "look": [np.array([1.0, 0.0, 2.0]), None],
            "name": ["a lamp, blue", "zzz"],
            "tags": ["lamp blue", ""],
        }
    )
    larger = model.add_items(frame)
    assert larger.artifacts.item_ids.decode(np.array([24, 25])) == ["Jos\u00e9", "b"]
    assert larger.similar_items(["Jose\u0301"], k=3).counts.tolist() == [3]
    assert model.encode_items(frame).unknown == {"look": 0, "name": 1, "tags": 0}
    column = larger.artifacts.catalogue.items.features.columns["tags"].to_arrow().to_pylist()
    assert column[24] == column[0]
    assert column[25] == []


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"look": [[1.0, 2.0]]}, "feature 'look': vectors must have 3 elements, got 2"),
        ({"look": [[1.0, np.nan, 0.0]]}, "items: column 'look'.*row 1"),
        ({"look": ["a"]}, "items: column 'look'"),
        ({"item_id": [7], "name": ["x"]}, r"item ids of this model are strings, got 7 \(int\)"),
        ({"item_id": ["7"], "name": [1.5], "price": [1]}, "no item feature 'price'; it has look"),
    ],
)
def test_frames_that_do_not_fit(model: Recommender, columns: Any, message: str) -> None:
    with pytest.raises((DataError, RequestError), match=message):
        model.encode_items(pd.DataFrame(columns))


@pytest.mark.parametrize("column", [False, True])
def test_vectors_come_from_their_file_unless_the_table_has_them(
    model: Recommender, tmp_path: Path, column: bool
) -> None:
    np.save(tmp_path / "look.npy", np.array([[9.0, 9.0, 9.0], [1.0, 0.0, 2.0]]))
    (tmp_path / "ids.txt").write_text("other\nnew\n")
    look = {"kind": "vector", "file": "look.npy", "ids": "ids.txt"}
    raw = {"root": str(tmp_path), "items": {"features": {"look": look}}}
    config = DataConfig.model_validate(raw)
    vector = [1.0, 0.0, 2.0]
    table = pa.table({"item_id": ["new"]} | ({"look": [vector]} if column else {"name": ["x"]}))
    if column:
        (tmp_path / "look.npy").unlink()
    items = model.artifacts.catalogue.items
    new = read_new_items(FrameSource(table, "new"), config, items, Problems())
    expected, _ = items.features.encode_more(
        {"look": pa.chunked_array([pa.array([vector], pa.list_(pa.float32(), 3))])}, 1, "x"
    )
    got = new.features.columns["look"].to_arrow()
    assert got.equals(expected.columns["look"].to_arrow())
