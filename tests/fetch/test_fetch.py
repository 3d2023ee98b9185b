"""Queries on SQLite: the snapshot, all of it or none, and the same bytes for the same rows."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import REPOSITORY
from tests.fetch.conftest import EVENTS, QUERIES, Shop, data_of, write_shop
from tests.pipeline.test_documented_files import keys_of, pattern
from twotower.common.errors import ConfigError, DataError
from twotower.common.files import sha256_file
from twotower.config import parse_config
from twotower.data.prepared import read_parts
from twotower.fetch import sql_database
from twotower.fetch.fetch import fetch
from twotower.ingest import prepare


def test_a_snapshot_has_the_rows_and_says_where_they_are_from(shop: Shop) -> None:
    shop.fetch()
    assert shop.rows() == sorted(EVENTS)
    assert shop.rows("items") == [(10, 1.5), (11, 4.0), (12, None)]
    table = json.loads(shop.files()["fetch.json"])["tables"]["interactions"]
    assert table == {
        "origin": {"source": shop.source, "query": "SELECT * FROM events"},
        "file": "interactions.parquet",
        "digests": {"interactions.parquet": sha256_file(shop.root / "interactions.parquet")},
        "rows": 4,
        "columns": {"user_id": "int64", "item_id": "int64", "at": "string"},
        "order": "its columns",
    }


def test_an_order_by_is_kept(shop: Shop) -> None:
    shop.fetch(interactions="SELECT user_id, item_id FROM events ORDER BY item_id DESC, user_id;")
    assert shop.rows() == [(2, 12), (1, 11), (2, 11), (1, 10)]


def test_the_same_rows_in_another_order_are_the_same_bytes(shop: Shop) -> None:
    shop.fetch()
    before = shop.files()
    Path("shop.db").unlink()
    write_shop(Path("shop.db"), EVENTS[::-1])
    shop.fetch()
    assert shop.files() == before
    Path("shop.db").unlink()
    write_shop(Path("shop.db"), [*EVENTS[1:], (2, 12, "2024-01-01 10:00:01")])
    shop.fetch()
    assert shop.files() != before


def test_batches_are_one_file_whose_types_hold_all(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sql_database, "BATCH_ROWS", 2)
    rows = "WITH t (v) AS (VALUES (NULL), (NULL), (1), (2), (2.5)) SELECT v, NULL AS n FROM t"
    snapshot = shop.fetch(interactions=rows)
    assert snapshot.tables["interactions"].columns == {"v": "double", "n": "string"}
    assert shop.rows() == [(None, None), (None, None), (1.0, None), (2.0, None), (2.5, None)]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("SELECT * FROM nowhere", "no such table: nowhere"),
        ("SELEKT 1", "syntax error"),
        ("SELECT * FROM events WHERE 0", "no rows"),
        ("SELECT 1 AS a, 2 AS a ORDER BY 1", "two columns are called 'a': rename one with AS"),
        ("SELECT 1 AS a UNION SELECT 'x'", "column 'a' has values of int, str"),
        ("DELETE FROM events", "syntax error"),
        ("DELETE FROM events RETURNING 1, 'ORDER' || (1) ORDER BY 1", ""),
        ("SELECT 1; DROP TABLE events", "syntax error"),
    ],
)
def test_a_query_that_fails_leaves_all_as_it_was(shop: Shop, sql: str, words: str) -> None:
    shop.fetch()
    before = shop.files()
    with pytest.raises(DataError, match=rf"^data.items.query: .*{words}"):
        shop.fetch(interactions="SELECT 1 AS user_id", items=sql)
    assert shop.files() == before
    assert {path.name for path in Path().iterdir()} == {"raw", "shop.db"}
    with closing(sqlite3.connect("shop.db")) as database:
        assert database.execute("SELECT count(*) FROM events").fetchone() == (4,)


def test_a_database_that_is_not_there_is_not_made(shop: Shop) -> None:
    shop.source = "sqlite:///other.db"
    with pytest.raises(DataError, match=r"^data.source: other.db: no such file$"):
        shop.fetch()
    assert not Path("other.db").exists()


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("nothing://host/db", "SQLAlchemy cannot reach nothing"),
        ("mysql+pymysqlx://host/db", "SQLAlchemy cannot reach mysql"),
        ("oracle://host/db", "driver is missing"),
        ("postgresql://host:port/db", "not the URL of a database"),
    ],
)
def test_a_database_that_nothing_here_can_reach(shop: Shop, source: str, words: str) -> None:
    shop.source = source
    with pytest.raises(ConfigError, match=rf"^data.source: .*{words}"):
        shop.fetch()


def test_files_of_others_are_not_taken_away(shop: Shop) -> None:
    shop.fetch()
    (shop.root / "mine.csv").write_text("a")
    before = shop.files()
    with pytest.raises(ConfigError, match=r"did not write \(mine.csv\)"):
        shop.fetch()
    assert shop.files() == before


def test_a_table_that_is_fetched_no_more_goes(shop: Shop) -> None:
    shop.fetch()
    shop.fetch(interactions=QUERIES["interactions"])
    assert shop.files().keys() == {"interactions.parquet", "fetch.json"}


def test_nothing_to_fetch(shop: Shop) -> None:
    with pytest.raises(ConfigError, match=r"^nothing to fetch: set data.source"):
        fetch(data_of(shop.source, {}))


def test_prepare_reads_what_was_fetched_as_it_reads_files(shop: Shop, tmp_path: Path) -> None:
    features = {"features": {"price": "numeric"}}
    columns = {"columns": {"timestamp": "at"}}
    tables = {
        "interactions": {"query": QUERIES["interactions"], **columns},
        "items": {"query": QUERIES["items"], **features},
    }
    config = parse_config({"data": {"root": "raw", "source": shop.source, **tables}})
    fetch(config.data)
    report = prepare(config, tmp_path / "fetched", tmp_path / "fetched.json")
    assert report["source"]["files"]["interactions"] == "interactions.parquet"
    Path("csv").mkdir()
    frame = pd.DataFrame(sorted(EVENTS), columns=["user_id", "item_id", "at"])
    frame.to_csv("csv/interactions.csv", index=False)
    Path("csv/items.csv").write_text("item_id,price\n10,1.5\n11,4\n12,\n")
    plain = parse_config({"data": {"root": "csv", "interactions": columns, "items": features}})
    prepare(plain, tmp_path / "plain", tmp_path / "plain.json")
    fetched, expected = read_parts(tmp_path / "fetched"), read_parts(tmp_path / "plain")
    for name, rows in expected.items():
        pd.testing.assert_frame_equal(fetched[name], rows)


def test_the_document_has_the_keys_of_the_record(shop: Shop) -> None:
    shop.fetch()
    text = (REPOSITORY / "docs/warehouses.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\| `(.*?)` \|", text.partition("## `fetch.json`")[2], re.MULTILINE)
    patterns = [pattern(name) for name in documented]
    record = json.loads(shop.files()["fetch.json"])
    record["tables"]["items"]["origin"] = {"url": ""}
    origin = r"tables\.\w+\.origin\.\w+"
    keys = [key for key in keys_of(record) if not re.fullmatch(origin, key)]
    assert all(any(re.fullmatch(one, key) for one in patterns) for key in keys)
    wanted = [name for name in documented if not name.endswith("origin")]
    assert all(any(re.fullmatch(pattern(name), key) for key in keys) for name in wanted)
