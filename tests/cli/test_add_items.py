"""`twotower add-items`."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.cli.command import error_of, twotower
from tests.new_items.test_encode import MODELS, NEW, trained
from twotower.artifacts import verify_artifacts
from twotower.serving import Recommender

CSV = "item_id;colour;tags;price;shelf\n2000;red;a|b|zzz;12,5;A\n2001;pink;;;B\n"
PARAMS = "data:\n  decimal: ','\n  separator: ';'\n"


@pytest.fixture(scope="module")
def model(tmp_path_factory: Any) -> Path:
    folder: Path = tmp_path_factory.mktemp("m") / "m"
    trained(folder)
    return folder


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's folder, with a table of new items."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(PARAMS)
    (tmp_path / "new.csv").write_text(CSV)
    return tmp_path


def add(model: Path, *more: Any, items: str = "new.csv") -> list[Any]:
    return ["add-items", items, "--artifacts", model, *(more or ["--output", "out"])]


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_folder_has_what_was_added_and_says_what(model: Path, place: Path) -> None:
    said = twotower(*add(model)).stderr.splitlines()
    assert said == [
        "out: items added: 2; now 26, of which 3 have no interactions",
        "out: cells with a category that the model does not have: 1 colour, 1 tags",
    ]
    verify_artifacts(place / "out")
    want = Recommender.load(model).add_items(pd.DataFrame(NEW | {"price": [12.5, np.nan]}))
    got = Recommender.load("out")
    users = got.artifacts.user_ids.all
    assert got.recommend(users, k=26).item_ids == want.recommend(users, k=26).item_ids
    assert got.cold_items() == [1005, 2000, 2001]
    meta = json.loads((place / "out" / "model_meta.json").read_text())
    assert {name: meta[name] for name in meta if name.startswith("num_items")} == {
        "num_items": 26, "num_items_added": 2, "num_items_cold": 3,
    }  # fmt: skip
    again = content(place / "out")
    twotower(*add(model))
    assert content(place / "out") == again


@pytest.mark.parametrize("name", ["history and popularity", "own history table", "sequence"])
def test_a_folder_of_any_model_can_be_added_to_again(name: str, place: Path) -> None:
    trained(place / "m", **MODELS[name])
    twotower(*add(place / "m"))
    (place / "more.csv").write_text("item_id;price\n3000;12,5\n")
    said = twotower(*add(Path("out"), "--output", "out", items="more.csv")).stderr
    assert "now 27" in said
    assert "features without a column, so missing: colour, tags" in said
    twice = Recommender.load("out")
    frames = [pd.DataFrame(NEW | {"price": [12.5, np.nan]}), pd.DataFrame([{"price": 12.5}])]
    first = Recommender.load("m")
    vectors = np.concatenate([first.encode_items(frame).vectors for frame in frames])
    assert np.allclose(twice.artifacts.item_vecs[-3:], vectors, atol=1e-6)
    history = [1003, 2000, 3000]
    want = first.add_items(frames[0]).add_items(frames[1].assign(item_id=3000))
    assert (
        twice.recommend_from_history(history).item_ids
        == want.recommend_from_history(history).item_ids
    )


@pytest.mark.parametrize("dtype", ["f32", "int8", "binary"])
def test_the_index_is_built_anew(place: Path, dtype: str) -> None:
    if dtype == "f32":
        pytest.importorskip("usearch", reason='needs pip install "twotower[index]"')
    trained(place / "m", index=dtype)
    twotower(*add(place / "m"))
    near, exact = (Recommender.load("out", approximate=how) for how in (True, False))
    users = exact.artifacts.user_ids.all
    assert near.recommend(users, 5).item_ids == exact.recommend(users, 5).item_ids
    assert len(near.artifacts.index()) == 26
    assert near.artifacts.index_dtype() == dtype


def test_items_that_are_known_can_be_dropped(model: Path, place: Path) -> None:
    (place / "new.csv").write_text(CSV + "1003;red;a;1,0;C\n")
    assert error_of(*add(model)) == (
        "new.csv: column 'item_id' must be new, but the model has the item; 1 invalid row: "
        "line 4 ('1003'); fix the file or set data.on_invalid: drop\n"
    )
    (place / "params.yaml").write_text(PARAMS + "  on_invalid: drop\n")
    assert "out: rows dropped: 1 known_id\n" in twotower(*add(model)).stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("item_id;colour\nx1;red\n", "must be an integer (data.items.id_type: integer)"),
        ("item_id;price\n5000;cheap\n", "is a numeric feature"),
        ("item_id;shelf\n5000;A\n", "has no feature of the model's items (colour, price, tags)"),
        ("item_id;colour\n", "no data rows"),
    ],
)
def test_files_that_cannot_be_used(model: Path, place: Path, text: str, message: str) -> None:
    (place / "new.csv").write_text(text)
    assert message in error_of(*add(model))
    assert not (place / "out").exists()


def test_places_that_are_not_written_to(model: Path, place: Path) -> None:
    assert "DVC would find it changed" in error_of(*add(model, "--output", ".artifacts_best"))
    (place / "out").mkdir()
    (place / "out" / "mine").touch()
    assert "is not a model folder" in error_of(*add(model))
    assert "no such file" in error_of(*add(model, "--output", "o", items="absent.csv"))


def test_damaged_models_are_not_blessed(place: Path) -> None:
    trained(place / "m")
    with (place / "m" / "user_vecs.npy").open("ab") as handle:
        handle.write(b"x")
    assert "user_vecs.npy does not match its digest" in error_of(*add(place / "m"))
