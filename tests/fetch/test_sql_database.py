"""Queries on a PostgreSQL server: types, states, errors, memory."""

import json
import os
import resource
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY
from tests.fetch.conftest import data_of, rows_of
from tests.search.store import server
from twotower.common.errors import ConfigError, DataError
from twotower.fetch.fetch import fetch
from twotower.ingest.snapshot import Snapshot

pytestmark = pytest.mark.slow
MEBIBYTE = 1 << 20
SLOW = "SELECT i, pg_sleep(0.0001)::text FROM generate_series(1, 1000000) AS i ORDER BY i"
MANY = "SELECT i % 1000 AS user_id, md5(i::text) AS item_id FROM "
VALUES = """SELECT 1::smallint AS small, 12::numeric(30) AS whole, 1.50::numeric(5, 2) AS price,
    true AS b, date '2024-01-02' AS day, timestamp '2024-01-02 03:04:05' AS local,
    timestamptz '2024-01-02 03:04:05+02' AS at, '\\x0102'::bytea AS raw, 'é'::varchar AS name,
    '{"b": 1, "a": [1]}'::jsonb AS j, ARRAY[1.5, 2]::float8[] AS vector, ARRAY['x'] AS tags,
    '00000000-0000-0000-0000-000000000001'::uuid AS u, NULL::int AS nothing,
    extract(hour FROM timestamptz '2024-01-02 00:30:00+00')::int AS hour, '50%' LIKE '50%' AS l"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PGPASSWORD", server.PASSWORD)
    monkeypatch.setenv("PGTZ", "America/Lima")
    return tmp_path


def source_of(postgres: server.Server) -> str:
    return f"postgresql://me@127.0.0.1:{postgres.port}/db"


def fetched(postgres: server.Server, sql: str, **queries: str) -> Snapshot:
    return fetch(data_of(source_of(postgres), {"interactions": sql, **queries}))


def rows() -> list[tuple[Any, ...]]:
    return rows_of(Path("raw/interactions.parquet"))


def test_types(postgres: server.Server) -> None:
    columns = fetched(postgres, VALUES).tables["interactions"].columns
    assert columns == {
        "small": "int64",
        "whole": "decimal128(2, 0)",
        "price": "decimal128(3, 2)",
        "b": "bool",
        "day": "date32[day]",
        "local": "timestamp[us]",
        "at": "timestamp[us, tz=UTC]",
        "raw": "binary",
        "name": "string",
        "j": "string",
        "vector": "list<item: double>",
        "tags": "list<item: string>",
        "u": "string",
        "nothing": "string",
        "hour": "int64",
        "l": "bool",
    }
    row = dict(zip(columns, rows()[0], strict=True))
    assert (row["at"].hour, row["j"]) == (1, '{"a": [1], "b": 1}')
    assert (row["hour"], row["l"]) == (0, True)  # whatever the client's zone, and % is no mark


def test_more_rows_need_no_more_memory(postgres: server.Server) -> None:
    """Also sorted: the server does that. The peaks are of processes of their own."""
    peaks = {}
    for count in (70_000, 300_000):
        sql = MANY + f"generate_series(1, {count}) AS i"
        program = (
            "import resource, tests.fetch.conftest as c\n"
            f"c.fetch(c.data_of({source_of(postgres)!r}, {{'interactions': {sql!r}}}))\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        run = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        )
        peaks[count] = int(run.stdout) * 1024 / MEBIBYTE
        (table,) = Snapshot.read(Path("raw")).tables.values()
        assert table.rows == count
    assert peaks[300_000] < peaks[70_000] + 20, peaks


def test_all_tables_are_of_one_moment(postgres: server.Server) -> None:
    postgres.sql("CREATE TABLE a (x int); INSERT INTO a VALUES (1)", "db")
    slow = threading.Timer(0.5, postgres.sql, ["INSERT INTO a VALUES (2)", "db"])
    slow.start()
    items = "SELECT x FROM a ORDER BY x"
    fetched(postgres, "SELECT pg_sleep(2)::text AS s", items=items)
    slow.join()
    assert rows_of(Path("raw/items.parquet")) == [(1,)]
    assert postgres.sql("SELECT count(*) FROM a", "db") == [(2,)]


def test_nothing_is_changed(postgres: server.Server) -> None:
    postgres.sql("CREATE SEQUENCE s", "db")
    with pytest.raises(DataError, match="read-only transaction"):
        fetched(postgres, "SELECT nextval('s') AS n")


def test_types_without_an_order_are_named(postgres: server.Server) -> None:
    with pytest.raises(DataError, match="could not identify an ordering operator for type json"):
        fetched(postgres, "SELECT '{}'::json AS j")
    fetched(postgres, "SELECT '{}'::json AS j ORDER BY 1::text")
    assert rows() == [("{}",)]


@pytest.mark.parametrize("password", ["wr0ng", ""])
def test_a_password_that_is_wrong_or_missing(
    postgres: server.Server, password: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", password)
    monkeypatch.setenv("PGPASSFILE", "/dev/null")
    with pytest.raises(DataError, match=r"^data.source: cannot connect: .*PGPASSWORD, ~/.pgpass"):
        fetched(postgres, "SELECT 1 AS a")
    monkeypatch.setenv("MY_DATABASE", postgres.url("db", "wr0ng"))
    with pytest.raises(DataError, match=r"^data.source: cannot connect: ") as raised:
        fetch(data_of("${MY_DATABASE}", {"interactions": "SELECT 1 AS a"}))
    assert "wr0ng" not in str(raised.value)


def test_variables_in_the_source(postgres: server.Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGPASSWORD")
    monkeypatch.setenv("SHOP", server.PASSWORD)
    source = source_of(postgres).replace("me@", "me:${SHOP}@")
    fetch(data_of(source.replace("postgresql:", "postgres:"), {"interactions": "SELECT 1 AS a"}))
    assert rows() == [(1,)]
    fetch(data_of(source, {"interactions": "SELECT 1 AS a"}))
    record = Path("raw/fetch.json").read_text()
    assert json.loads(record)["tables"]["interactions"]["origin"]["source"] == source
    assert server.PASSWORD not in record
    with pytest.raises(ConfigError, match="holds a password"):
        data_of(postgres.url(), {"interactions": "SELECT 1 AS a"})


def test_a_connection_that_is_lost_leaves_the_old_snapshot(postgres: server.Server) -> None:
    fetched(postgres, "SELECT 1 AS a")
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'db'"

    def cut() -> None:
        deadline = time.monotonic() + 30
        while not postgres.sql(end) and time.monotonic() < deadline:
            time.sleep(0.1)

    thread = threading.Timer(1, cut)
    thread.start()
    with pytest.raises(DataError, match=r"^data.interactions.query: .*terminat|closed|lost"):
        fetched(postgres, SLOW)
    thread.join()
    assert rows() == [(1,)]
    assert {path.name for path in Path().iterdir()} == {"raw"}


def test_a_full_disk_leaves_the_old_snapshot(postgres: server.Server) -> None:
    fetched(postgres, "SELECT 1 AS a")
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (MEBIBYTE, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            fetched(postgres, "SELECT md5(i::text) AS a FROM generate_series(1, 70000) i")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert rows() == [(1,)]
    assert {path.name for path in Path().iterdir()} == {"raw"}
