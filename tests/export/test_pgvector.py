"""Export to PostgreSQL; skipped where there is no server with pgvector."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.documents.blocks import blocks
from tests.export.conftest import CutShortError, cut_short, expected, export, rows_of, write
from tests.search.store.server import PASSWORD, QUOTED, Server, running
from twotower.common.errors import ConfigError, ExportError
from twotower.data.features import Categorical, Features
from twotower.export.destination import DESTINATIONS, Destination

psycopg = pytest.importorskip("psycopg", reason='needs pip install "twotower[pgvector]"')
pytest.importorskip("pgvector", reason='needs pip install "twotower[pgvector]"')

ROW = DESTINATIONS["pgvector"]
assert isinstance(ROW, Destination)
TABLES = (
    "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace "
    "AND relkind IN ('r', 'v') ORDER BY relname"
)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as server:
        if server is None:
            pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
        found = "SELECT 1 FROM pg_available_extensions WHERE name = 'vector'"
        if not server.sql(found):
            pytest.skip("PostgreSQL lacks pgvector (Debian: postgresql-NN-pgvector)")
        yield server


@pytest.fixture
def url(server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty database."""
    server.sql("DROP DATABASE IF EXISTS db WITH (FORCE)")
    server.sql("CREATE DATABASE db")
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    return f"postgresql://me@127.0.0.1:{server.port}/db"


def tables(server: Server) -> list[str]:
    return [name for (name,) in server.sql(TABLES, "db")]


def shown(server: Server) -> str:
    """The table behind the view."""
    return server.sql("SELECT pg_get_viewdef('items'::regclass)", "db")[0][0]


@pytest.mark.slow
def test_the_documented_request_is_answered_as_by_the_recommender(
    server: Server, url: str, model: Path, titles: Path, monkeypatch: Any
) -> None:
    export(model, ROW, url, titles=titles)
    export(model, ROW, url, "users")
    row = server.sql("SELECT * FROM items WHERE position = 1", "db")[0]
    assert row[:-1] == (1001, 1, None, 2, "green", 1.99, ["sale"], "Dr")
    assert server.sql("SELECT seen FROM users WHERE user_id = 101", "db") == [([1001, 1002, 1003],)]
    (code,) = (
        block.text
        for block in blocks("docs/export.md")
        if block.language == "python" and "psycopg" in block.text
    )
    connection = psycopg.connect(url, autocommit=True)
    monkeypatch.setattr(psycopg, "connect", lambda _, **__: connection)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - it is ours
    for user in (42, 103, 105):
        assert names["recommend"](user, k=4) == expected(model, user, 4)
    connection.close()


@pytest.mark.slow
def test_readers_go_from_a_whole_version_to_the_next(
    server: Server, url: str, model: Path, tmp_path: Path
) -> None:
    other = Features({"shape": Categorical(np.ones(23, np.int64), ("round",))})
    folders = [
        model,
        write(tmp_path / "1", seed=1),
        write(tmp_path / "2", seed=2, features=other),
    ]
    first, second, third = (rows_of(folder).schema.target for folder in folders)
    small = Destination("pgvector", "x", ROW.place, ROW.open, batch=10)
    export(folders[0], small, url)
    server.sql("CREATE ROLE reader; GRANT SELECT ON items TO reader, PUBLIC", "db")
    with pytest.raises(CutShortError):
        export(folders[1], cut_short(small, 20), url)
    assert first in shown(server)
    said = export(folders[1], small, url)
    assert said[0] == f"{second}: going on after row 20 of 23"
    assert second in shown(server)
    assert tables(server) == sorted(["items", first, second])
    export(folders[2], small, url)  # has other columns
    assert third in shown(server)
    assert tables(server) == sorted(["items", second, third])
    grants = server.sql("SELECT relacl::text FROM pg_class WHERE relname = 'items'", "db")
    assert "reader=r/me" in grants[0][0]
    assert ",=r/me" in grants[0][0]
    assert "is up to date" in export(folders[2], small, url)[0]
    server.sql("DROP OWNED BY reader; DROP ROLE reader", "db")


@pytest.mark.slow
def test_readers_are_neither_disturbed_nor_waited_for(
    server: Server, url: str, model: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr("twotower.export.pgvector.WAIT", "20ms")
    monkeypatch.setattr("twotower.export.pgvector.TRIES", 2)
    folders = [model, *(write(tmp_path / str(seed), seed=seed) for seed in (1, 2, 3))]
    first, second, third, fourth = (rows_of(folder).schema.target for folder in folders)
    export(folders[0], ROW, url)
    with psycopg.connect(url) as reading:
        reading.execute("SELECT * FROM items LIMIT 1")  # holds the view until it commits
        with pytest.raises(ExportError, match="a transaction that reads the view does not end"):
            export(folders[1], ROW, url)
        assert first in shown(server)
    assert "going on after row 23 of 23" in export(folders[1], ROW, url)[0]
    with psycopg.connect(url) as reading:
        reading.execute(psycopg.sql.SQL("SELECT * FROM {}").format(psycopg.sql.Identifier(first)))
        export(folders[2], ROW, url)
        assert third in shown(server)
    assert tables(server) == sorted(["items", first, second, third])  # the first was being read
    server.sql(f"CREATE VIEW theirs AS TABLE {second}", "db")  # which is not taken away
    export(folders[3], ROW, url)
    assert tables(server) == sorted(["items", second, "theirs", third, fourth])


@pytest.mark.slow
def test_what_is_not_ours_is_left_alone(server: Server, url: str, model: Path) -> None:
    server.sql("CREATE TABLE items (a int)", "db")
    with pytest.raises(ExportError, match="items is there already, and was not made by twotower"):
        export(model, ROW, url)
    server.sql("DROP TABLE items; CREATE VIEW items AS SELECT 1 AS a", "db")
    with pytest.raises(ExportError, match="choose another --name"):
        export(model, ROW, url)
    server.sql("DROP VIEW items; CREATE TABLE items_0123456789ab (a int)", "db")
    export(model, ROW, url)
    assert "items_0123456789ab" in tables(server)


@pytest.mark.slow
def test_the_way_in_is_refused_in_a_line(url: str, model: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("PGPASSWORD", "wrong-one")
    with pytest.raises(ExportError, match="password authentication failed") as raised:
        export(model, ROW, url)
    assert "wrong-one" not in str(raised.value)
    with pytest.raises(ExportError, match="Connection refused"):
        export(model, ROW, "postgresql://me@127.0.0.1:9/db")


def test_urls_that_are_not_taken(model: Path) -> None:
    with pytest.raises(ConfigError, match="set PGPASSWORD") as raised:
        export(model, ROW, f"postgresql://me:{QUOTED}@127.0.0.1:9/db")
    assert QUOTED not in str(raised.value)
    with pytest.raises(ConfigError, match="must be postgresql://"):
        export(model, ROW, "http://127.0.0.1:9")


def test_names_that_postgresql_would_cut(tmp_path: Path) -> None:
    long = Features({"c" * 64: Categorical(np.ones(23, np.int64), ("round",))})
    with pytest.raises(ConfigError, match="over 63 bytes"):
        export(write(tmp_path / "m", features=long), ROW, "postgresql://me@127.0.0.1:9/db")
