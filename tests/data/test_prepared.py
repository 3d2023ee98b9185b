import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.conftest import events, split_by_user, write_prepared, write_split
from twotower.common.errors import DataError
from twotower.data.features import Categorical, Features, MultiValued, Numeric
from twotower.data.prepared import (
    Catalogue,
    Entities,
    fingerprint,
    read_catalogue,
    read_split,
    write_catalogue,
)
from twotower.data.vocabulary import Vocabulary


def split(users: list, items: list) -> pd.DataFrame:
    count = len(users)
    return pd.DataFrame(
        {
            "user_id": users,
            "item_id": items,
            "timestamp": np.arange(count, dtype=np.int64) - 5,
            "weight": np.linspace(0, 2, count, dtype=np.float32),
        }
    )


@pytest.fixture
def catalogue() -> Catalogue:
    users = Features({"city": Categorical(np.array([2, 0]), ("Cádiz", "Madrid"))})
    items = Features(
        {
            "price": Numeric(np.array([-1, 0, 1], dtype=np.float32), 2.5, 1.25),
            "tags": MultiValued(np.array([1, 2, 2]), np.array([0, 2, 2, 3]), ("a", "b")),
        }
    )
    return Catalogue(
        users=Entities(Vocabulary(pd.Index([7, 9])), users),
        items=Entities(Vocabulary(pd.Index(["007", "NA", "ñ"])), items),
    )


@pytest.mark.parametrize(
    ("users", "items"),
    [([1, 2], [3, 4]), (["007", "NA"], [2**62, -1]), (["", "é"], ["null", "nan"])],
)
def test_split_roundtrip(tmp_path, users, items):
    frame = split(users, items)
    write_split(tmp_path / "s.parquet", frame)
    back = read_split(tmp_path / "s.parquet")
    pd.testing.assert_frame_equal(back, frame)
    assert back["weight"].dtype == np.float32


@pytest.mark.parametrize("ids", [pd.Series([], dtype="int64"), pd.Series([], dtype="str")])
def test_an_empty_split_keeps_its_types(tmp_path, ids):
    frame = pd.DataFrame({"user_id": ids, "item_id": ids, "timestamp": [], "weight": []})
    write_split(tmp_path / "s.parquet", frame)
    back = read_split(tmp_path / "s.parquet")
    assert len(back) == 0
    assert (back["user_id"].dtype == "int64") == (ids.dtype == "int64")
    assert back["timestamp"].dtype == "int64"


def test_catalogue_roundtrip(tmp_path, catalogue):
    write_catalogue(tmp_path / "v", catalogue)
    back = read_catalogue(tmp_path / "v")
    for name in ("users", "items"):
        got, expected = getattr(back, name), getattr(catalogue, name)
        assert got.vocabulary.ids.tolist() == expected.vocabulary.ids.tolist()
        assert list(got.features.columns) == list(expected.features.columns)
        assert got.features.schema() == expected.features.schema()
    tags = back.items.features.columns["tags"]
    assert (tags.codes.tolist(), tags.offsets.tolist()) == ([1, 2, 2], [0, 2, 2, 3])
    assert back.items.features.columns["price"].values.tolist() == [-1, 0, 1]
    assert back.users.features.columns["city"].codes.tolist() == [2, 0]


def test_schema_is_canonical_json(tmp_path, catalogue):
    write_catalogue(tmp_path / "v", catalogue)
    text = (tmp_path / "v" / "features.json").read_text(encoding="utf-8")
    assert json.loads(text)["users"]["city"] == {
        "kind": "categorical",
        "categories": ["Cádiz", "Madrid"],
    }
    assert text.endswith("}\n")


def test_writing_again_replaces_and_gives_the_same_bytes(tmp_path, catalogue):
    (tmp_path / "vocabulary").mkdir()
    (tmp_path / "vocabulary" / "stale.parquet").touch()
    seen = []
    for _ in range(2):
        write_catalogue(tmp_path / "vocabulary", catalogue)
        for name in ("train", "validation", "validation_history"):
            write_split(tmp_path / f"{name}.parquet", split([1, 2], ["a", "b"]))
        seen.append(fingerprint(tmp_path))
    assert seen[0] == seen[1]
    names = {path.name for path in (tmp_path / "vocabulary").iterdir()}
    assert names == {"users.parquet", "items.parquet", "features.json"}


def test_missing_files_name_the_stage(tmp_path):
    with pytest.raises(DataError, match="run the prepare stage first"):
        read_split(tmp_path / "train.parquet")
    with pytest.raises(DataError, match=r"features\.json: no such file"):
        read_catalogue(tmp_path)


def test_encode_and_extend(catalogue):
    frame = split([9, 8, 7], ["ñ", "007", "new"])
    coded = catalogue.encode(frame)
    assert coded.user_idx.tolist() == [1, -1, 0]
    assert coded.item_idx.tolist() == [2, 0, -1]
    larger = catalogue.extend(frame, split([5], ["NA"]))
    assert larger.users.vocabulary.ids.tolist() == [7, 9, 5, 8]
    assert larger.items.vocabulary.ids.tolist() == ["007", "NA", "ñ", "new"]
    assert larger.encode(frame).user_idx.tolist() == [1, 3, 0]
    assert larger.users.features.columns["city"].codes.tolist() == [2, 0, 0, 0]
    assert larger.items.features.columns["tags"].offsets.tolist() == [0, 2, 2, 3, 3]
    assert larger.items.features.columns["price"].values.tolist() == [-1, 0, 1, 0]


@pytest.mark.parametrize("name", ["train.parquet", "vocabulary/items.parquet"])
@pytest.mark.parametrize("content", [None, b"", b"PAR1 and nothing more"])
def test_missing_or_damaged_tables_are_one_line(
    tmp_path: Path, prepared: Path, name: str, content: bytes | None
) -> None:
    folder = tmp_path / "prepared"
    shutil.copytree(prepared, folder)
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    read = read_split if name == "train.parquet" else lambda path: read_catalogue(path.parent)
    with pytest.raises(DataError, match=r"no such file|damaged") as caught:
        read(folder / name)
    assert name in str(caught.value)


KIND_OF_ANOTHER_VERSION = '{"users": {}, "items": {"age": {"kind": "made_up"}}}'


@pytest.mark.parametrize("content", ["{", "[]", "{}", KIND_OF_ANOTHER_VERSION])
def test_damaged_schema_is_one_line(tmp_path: Path, prepared: Path, content: str) -> None:
    folder = tmp_path / "prepared"
    shutil.copytree(prepared, folder)
    (folder / "vocabulary" / "features.json").write_text(content)
    with pytest.raises(DataError, match="damaged"):
        read_catalogue(folder / "vocabulary")


def test_a_table_without_its_columns_is_one_line(prepared: Path) -> None:
    with pytest.raises(DataError, match="damaged, or not written by the prepare stage"):
        read_split(prepared / "vocabulary" / "items.parquet")


def test_what_is_known_of_new_users_is_part_of_the_fingerprint_if_there_is_any(prepared, tmp_path):
    without = fingerprint(prepared)
    assert "validation_history.parquet" not in without
    parts = split_by_user(events(seed=0))
    found = [
        fingerprint(write_prepared(tmp_path / str(seed), parts | {"validation_history": known}))
        for seed, known in enumerate((parts["validation_history"], parts["validation_history"][1:]))
    ]
    changed = {name for name in found[0] if found[0][name] != found[1][name]}
    assert changed == {"validation_history.parquet"}
    assert not any("test" in name for name in found[0])
