"""Exports to files, read as docs/export.md says."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.export.conftest import CutShortError, cut_short, expected, export, rows_of, write
from twotower.artifacts import load_artifacts
from twotower.common.errors import ConfigError, ExportError
from twotower.export.destination import DESTINATIONS, Place
from twotower.export.folder import MANIFEST, ROWS

FORMATS = [name for name, row in DESTINATIONS.items() if getattr(row, "place", "") is Place.FOLDER]
USER = 3
SEEN = [3, 4, 5]
"""Positions of the user's items."""


@pytest.fixture
def query(model: Path) -> np.ndarray:
    return np.array(load_artifacts(model).user_vecs[USER])


def ids(folder: Path, positions: list[int]) -> list[int]:
    item_ids = pq.read_table(folder / ROWS)["item_id"].to_numpy()
    return item_ids[positions].tolist()


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_bytes_each_time_and_no_work_the_second(
    name: str, model: Path, titles: Path, tmp_path: Path
) -> None:
    pytest.importorskip(name) if name in {"faiss", "usearch"} else None
    row, out = DESTINATIONS[name], tmp_path / "out"
    export(model, row, str(out), titles=titles)
    (said,) = export(model, row, str(out), titles=titles)
    assert "is up to date" in said
    first = content(out)
    export(model, row, str(tmp_path / "again"), titles=titles)
    assert content(tmp_path / "again") == first
    manifest = json.loads(first[MANIFEST])
    assert manifest["files"] == {name: len(b) for name, b in first.items() if name != MANIFEST}
    export(model, row, str(out))
    assert content(out) != first


def test_parquet(model: Path, query: np.ndarray, tmp_path: Path) -> None:
    export(model, DESTINATIONS["parquet"], str(tmp_path / "out"))
    table = pq.read_table(tmp_path / "out" / ROWS)
    vectors = np.stack(table["vector"].to_numpy())
    assert np.array_equal(vectors, load_artifacts(model).item_vecs)
    scores = vectors @ query
    scores[SEEN] = -np.inf
    assert ids(tmp_path / "out", np.argsort(-scores)[:5]) == expected(model, 100 + USER, 5)


def test_npy(model: Path, tmp_path: Path) -> None:
    export(model, DESTINATIONS["npy"], str(tmp_path / "out"), "users")
    vectors = np.load(tmp_path / "out" / "vectors.npy", mmap_mode="r")
    assert vectors.dtype == np.float32
    assert np.array_equal(vectors, load_artifacts(model).user_vecs)
    rows = pq.read_table(tmp_path / "out" / ROWS).to_pylist()
    assert rows[USER] == {"user_id": 103, "position": 3, "seen": [1003, 1004, 1005]}


def test_faiss(model: Path, query: np.ndarray, tmp_path: Path) -> None:
    faiss = pytest.importorskip("faiss")
    export(model, DESTINATIONS["faiss"], str(tmp_path / "out"))
    index = faiss.read_index(str(tmp_path / "out" / "index.faiss"))
    unseen = faiss.SearchParameters(sel=faiss.IDSelectorNot(faiss.IDSelectorBatch(SEEN)))
    _, positions = index.search(query[None], 5, params=unseen)
    assert ids(tmp_path / "out", positions[0]) == expected(model, 100 + USER, 5)


def test_usearch(model: Path, query: np.ndarray, tmp_path: Path) -> None:
    usearch = pytest.importorskip("usearch.index")
    export(model, DESTINATIONS["usearch"], str(tmp_path / "out"))
    assert sorted(content(tmp_path / "out")) == [MANIFEST, "index.usearch", ROWS]
    index = usearch.Index.restore(str(tmp_path / "out" / "index.usearch"), view=True)
    found = index.search(query, 5 + len(SEEN), exact=True).keys
    left = [key for key in found.tolist() if key not in SEEN][:5]
    assert ids(tmp_path / "out", left) == expected(model, 100 + USER, 5)


def test_an_export_cut_short_leaves_what_was_there(model: Path, tmp_path: Path) -> None:
    row, out = DESTINATIONS["npy"], tmp_path / "out"
    export(write(tmp_path / "other", seed=1), row, str(out))
    before = content(out)
    with pytest.raises(CutShortError):
        export(model, cut_short(row, 0), str(out))
    assert content(out) == before
    assert {path.name for path in tmp_path.iterdir()} == {"other", "out"}


@pytest.mark.parametrize("name", ["npy", "faiss"])
def test_a_full_disk_is_named_and_leaves_what_was_there(
    name: str, model: Path, tmp_path: Path
) -> None:
    resource = pytest.importorskip("resource", reason="limits of POSIX systems")
    pytest.importorskip(name) if name == "faiss" else None
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, hard))
    try:
        with pytest.raises(OSError, match="too large") as raised:
            export(model, DESTINATIONS[name], str(tmp_path / "out"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert raised.value.filename == str(tmp_path / "out")
    assert not any(tmp_path.iterdir())


def test_files_that_were_changed_are_written_anew(model: Path, tmp_path: Path) -> None:
    row, out = DESTINATIONS["npy"], tmp_path / "out"
    export(model, row, str(out))
    before = content(out)
    (out / "vectors.npy").write_bytes(b"short")
    export(model, row, str(out))
    assert content(out) == before


def test_places_that_are_not_written_to(model: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").touch()
    row = DESTINATIONS["parquet"]
    with pytest.raises(ExportError, match="is not a folder that `twotower export` wrote"):
        export(model, row, str(tmp_path / "mine"))
    with pytest.raises(ExportError, match="is not replaced"):
        export(model, row, str(model))
    with pytest.raises(ConfigError, match="is a file, so nothing can be put there"):
        export(model, row, str(tmp_path / "mine" / "thesis.txt" / "out"))


def test_rows_say_their_types(model: Path, tmp_path: Path) -> None:
    export(model, DESTINATIONS["parquet"], str(tmp_path / "out"))
    schema = pq.read_schema(tmp_path / "out" / ROWS)
    assert str(schema.field("vector").type) == "fixed_size_list<element: float not null>[4]"
    assert str(schema.field("tags").type) == "list<element: string>"
    assert rows_of(model).schema.dim == 4
