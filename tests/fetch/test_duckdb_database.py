"""Queries on DuckDB: a file, and files that its SQL reads."""

from pathlib import Path

import pytest

from tests.fetch.conftest import data_of, rows_of
from twotower.common.errors import DataError
from twotower.fetch import duckdb_database
from twotower.fetch.fetch import fetch

duckdb = pytest.importorskip("duckdb")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_columns_keep_their_types_in_batches_of_one_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duckdb_database, "BATCH_ROWS", 3000)
    with duckdb.connect("shop.duckdb") as database:
        database.execute(
            """CREATE TABLE t AS SELECT i AS user_id, 'a'::ENUM ('a', 'b') AS event,
            TIMESTAMPTZ '2024-01-01 00:00:00+02' AS at, uuid() AS u, [i, 1] AS v, 1.5::DECIMAL(5, 2)
            AS price, 2::HUGEINT AS big, {'a': 1}::JSON AS j FROM range(7000) AS r (i)"""
        )
    snapshot = fetch(data_of("duckdb:///shop.duckdb", {"interactions": "SELECT * FROM t"}))
    table = snapshot.tables["interactions"]
    assert (table.rows, table.columns) == (
        7000,
        {
            "user_id": "int64",
            "event": "string",
            "at": "timestamp[us, tz=UTC]",
            "u": "string",
            "v": "list<l: int64>",
            "price": "decimal128(5, 2)",
            "big": "decimal128(38, 0)",
            "j": "string",
        },
    )
    assert [row[0] for row in rows_of(Path("raw/interactions.parquet"))] == list(range(7000))


def test_it_reads_files_without_a_database() -> None:
    Path("a.csv").write_text("user_id,item_id\n2,1\n1,3\n")
    fetch(data_of("duckdb://", {"interactions": "FROM 'a.csv'"}))
    assert rows_of(Path("raw/interactions.parquet")) == [(1, 3), (2, 1)]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT * FROM nowhere", "Table with name nowhere does not exist"),
        ("CREATE TABLE t (a INT)", "[Ss]yntax error"),
        ("SELECT * FROM range(0)", "no rows"),
        ("SELECT INTERVAL 1 DAY AS i", "interval: cast the column in the query"),
    ],
)
def test_a_query_that_fails_is_one_line(sql: str, words: str) -> None:
    with pytest.raises(DataError, match=rf"^data.interactions.query: .*{words}") as raised:
        fetch(data_of("duckdb://", {"interactions": sql}))
    assert "\n" not in str(raised.value)
    assert not Path("raw").exists()


def test_a_file_that_is_no_database() -> None:
    Path("shop.duckdb").write_text("user_id")
    with pytest.raises(DataError, match=r"^data.source: cannot connect: .*shop.duckdb"):
        fetch(data_of("duckdb:///shop.duckdb", {"interactions": "SELECT 1"}))
    with pytest.raises(DataError, match=r"^data.source: other.duckdb: no such file"):
        fetch(data_of("duckdb:///other.duckdb", {"interactions": "SELECT 1"}))
