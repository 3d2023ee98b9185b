"""Keys that say where tables are fetched from."""

from typing import Any

import pytest

from twotower.common.errors import ConfigError
from twotower.config import parse_config

SQL = "SELECT 1 AS a\n"
SHOP = "sqlite:///shop.db"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({"source": "postgresql://me:secret@host/db"}, "data.source: holds a password"),
        ({"source": "postgresql://host/db?password=secret"}, "data.source: holds a password"),
        ({"source": "postgresql://me:secret${X}@host/db"}, "data.source: holds a password"),
        ({"source": "shop.db"}, "data.source: must be the URL of a database"),
        ({"interactions": {"file": "https://me:secret@host/a.csv"}}, "file: holds a password"),
        ({"items": {"file": "https://host/a.csv?token=secret"}}, "items.file: holds a password"),
        ({"users": {"query": SQL}}, "users.query needs data.source"),
        ({"source": SHOP, "users": {"query": SQL, "file": "a"}}, "query and file exclude"),
        ({"source": SHOP, "users": {"query": SQL, "file": False}}, "query and file exclude"),
        ({"source": SHOP, "items": {"query": SQL, "format": "csv"}}, "query and format exclude"),
        (
            {"interactions": {"file": "s3://b/a.csv"}, "items": {"file": "a.csv"}},
            "items.file is local, but the interactions are fetched",
        ),
    ],
)
def test_what_cannot_be_is_one_line(data: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words) as raised:
        parse_config({"data": data})
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "source",
    [
        "postgresql://me@host/db",
        "postgresql://${WHO}:${PW}@${HOST}:5432/db?sslpassword=${PW}&sslmode=require",
        "${DATABASE_URL}",
        "duckdb://",
        "sqlite:////srv/me@work:shop.db",
    ],
)
def test_a_source_without_a_password(source: str) -> None:
    assert parse_config({"data": {"source": source}}).data.source == source


def test_origins_are_as_written() -> None:
    tables = {"interactions": {"query": SQL}, "users": {"file": "s3://b/a.csv?token=${T}"}}
    data = parse_config({"data": {"source": SHOP, **tables}}).data
    assert data.origins == {
        "interactions": {"source": SHOP, "query": "SELECT 1 AS a"},
        "users": {"url": "s3://b/a.csv?token=${T}"},
    }
    assert parse_config({"data": {"users": {"file": "a/b.csv"}}}).data.origins == {}
