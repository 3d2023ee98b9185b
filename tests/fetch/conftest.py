"""Databases of a tiny shop, and a PostgreSQL server of one's own."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.search.store import server
from twotower.config import parse_config
from twotower.config.data import DataConfig
from twotower.fetch.fetch import fetch
from twotower.ingest.snapshot import Snapshot

EVENTS = [
    (2, 12, "2024-01-01 10:00:00"),
    (1, 10, "2024-01-01 00:00:00"),
    (1, 11, "2024-01-02 00:00:00"),
    (2, 11, "2024-01-01 09:00:00"),
]
TABLES = {
    "events": ("user_id INTEGER, item_id INTEGER, at TEXT", EVENTS),
    "people": ("user_id INTEGER, city TEXT", [(1, "Lima"), (2, None)]),
    "articles": ("item_id INTEGER, price REAL", [(10, 1.5), (11, 4.0), (12, None)]),
}
QUERIES = {"interactions": "SELECT * FROM events", "items": "SELECT * FROM articles"}


def write_shop(path: Path, events: list[Any] = EVENTS) -> None:
    """A SQLite file with the tables of the shop."""
    with closing(sqlite3.connect(path)) as database, database:
        for name, (columns, rows) in (TABLES | {"events": (TABLES["events"][0], events)}).items():
            marks = ", ".join("?" * len(rows[0]))
            database.execute(f"CREATE TABLE {name} ({columns})")
            database.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)  # noqa: S608


def data_of(source: str | None, queries: dict[str, str], root: str = "raw") -> DataConfig:
    """Section `data` with queries, of which those with :// are URLs."""
    keys = {name: {"file" if "://" in text else "query": text} for name, text in queries.items()}
    return parse_config({"data": {"root": root, "source": source, **keys}}).data


def rows_of(path: Path) -> list[tuple[Any, ...]]:
    """The rows of a Parquet file."""
    return [tuple(row.values()) for row in pq.read_table(path).to_pylist()]


class Shop:
    """The current folder, with a database of the shop."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "raw"
        self.source = "sqlite:///shop.db"
        write_shop(folder / "shop.db")

    def fetch(self, **queries: str) -> Snapshot:
        return fetch(data_of(self.source, queries or QUERIES))

    def files(self) -> dict[str, bytes]:
        """Bytes of the snapshot, by path."""
        paths = (path for path in self.root.rglob("*") if path.is_file())
        return {path.relative_to(self.root).as_posix(): path.read_bytes() for path in paths}

    def rows(self, role: str = "interactions") -> list[tuple[Any, ...]]:
        return rows_of(self.root / f"{role}.parquet")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.chdir(tmp_path)
    return Shop(tmp_path)


@pytest.fixture(scope="module")
def postgres() -> Iterator[server.Server]:
    with server.running() as running:
        if running is None:
            pytest.skip("PostgreSQL is not installed")
        yield running
