"""Exports as a whole, with a destination that notes what it is told."""

import shutil
from pathlib import Path

import pytest

from tests.export.conftest import CutShortError, cut_short, export, rows_of, write
from twotower.common.errors import ArtifactError, ConfigError, ExportError
from twotower.data.features import Features
from twotower.export.destination import Batch, Destination, Place, Schema
from twotower.export.run import make_rows, open_model


class Noting:
    """A database in memory, and its writer."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[int, object]] = {}
        self.led_to: dict[str, str] = {}
        self.closed = 0
        self.batches: list[tuple[int, int]] = []
        self.row = Destination("noting", "notes", Place.URL, self._open, batch=5)

    def _open(self, _: str, schema: Schema) -> "Noting":
        self.schema = schema
        self.rows = self.tables.setdefault(schema.target, {})
        return self

    def is_current(self) -> bool:
        return self.led_to.get(self.schema.name) == self.schema.target

    def existing(self) -> int:
        return len(self.rows)

    def write(self, batch: Batch) -> None:
        self.batches.append((batch.start, len(batch)))
        self.rows.update(enumerate(batch.ids, batch.start))

    def publish(self) -> None:
        self.led_to[self.schema.name] = self.schema.target

    def close(self) -> None:
        self.closed += 1


def test_rows_are_published_once_all_are_there(model: Path) -> None:
    database = Noting()
    target = rows_of(model).schema.target
    (said,) = export(model, database.row, "")
    assert said.startswith("items: 23 rows of model ")
    assert database.batches == [(0, 5), (5, 5), (10, 5), (15, 5), (20, 3)]
    assert list(database.tables[target].values()) == list(range(1000, 1023))
    assert database.led_to == {"items": target}
    (said,) = export(model, database.row, "")
    assert "is up to date" in said
    assert len(database.batches) == 5
    assert database.closed == 2


def test_an_export_cut_short_is_gone_on_with(model: Path) -> None:
    database = Noting()
    target = rows_of(model).schema.target
    with pytest.raises(CutShortError):
        export(model, cut_short(database.row, 10), "")
    assert database.led_to == {}
    database.tables[target].update({10: 1010, 11: 1011})  # a batch of which a part was written
    del database.batches[:]
    said = export(model, database.row, "")
    assert said[0] == f"{target}: going on after row 10 of 23"
    assert database.batches == [(10, 5), (15, 5), (20, 3)]
    assert len(database.tables[target]) == 23


def test_another_model_begins_anew(model: Path, tmp_path: Path) -> None:
    database = Noting()
    with pytest.raises(CutShortError):
        export(model, cut_short(database.row, 10), "")
    del database.batches[:]
    export(write(tmp_path / "other", seed=1), database.row, "")
    assert database.batches[0] == (0, 5)


def test_what_is_not_whole_is_not_published(model: Path) -> None:
    database = Noting()
    database.existing = lambda: 24  # type: ignore[method-assign]  # somebody else's row
    with pytest.raises(ExportError, match="has 24 rows where 23 were written"):
        export(model, database.row, "")
    assert database.led_to == {}


def test_a_model_that_is_replaced_is_not_published(tmp_path: Path) -> None:
    folder, database = write(tmp_path / "model"), Noting()
    own = database.write

    def replacing(batch: Batch) -> None:
        own(batch)
        if batch.start == 5:
            shutil.rmtree(folder)
            write(folder, seed=1)

    database.write = replacing  # type: ignore[method-assign]
    with pytest.raises(ArtifactError, match="replaced while it was exported; run this again"):
        export(folder, database.row, "")
    assert database.led_to == {}


def test_a_library_that_is_missing_is_named_with_its_extra(model: Path) -> None:
    def opened(*_: object) -> Noting:
        import no_such_client  # noqa: F401

        return Noting()

    row = Destination("mine", "x", Place.URL, opened, extra="mine")
    with pytest.raises(ConfigError, match=r'needs no_such_client: pip install "twotower\[mine\]"'):
        export(model, row, "")


@pytest.mark.parametrize("name", ["", "Items", "9items", "my-items", "i" * 41, "a;b"])
def test_names_that_some_destination_would_refuse(model: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="lower-case letters"):
        make_rows(*open_model(model), "items", name, None)


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no such folder"):
        open_model(tmp_path / "absent")


def test_a_model_without_features_has_none(tmp_path: Path) -> None:
    names = [f.name for f in rows_of(write(tmp_path / "m", features=Features())).schema.fields]
    assert names == ["item_id", "position", "interactions"]
