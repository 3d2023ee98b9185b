"""What prepare says of a snapshot that is missing, of other queries, or not what was fetched."""

import json
from pathlib import Path

import pytest

from tests.fetch.conftest import QUERIES, Shop, data_of, shop  # noqa: F401
from twotower.common.errors import DataError
from twotower.ingest.snapshot import Snapshot, fetched_here, pinned


@pytest.fixture
def fetched(shop: Shop) -> Shop:  # noqa: F811
    shop.fetch()
    return shop


def refusal(shop: Shop, **queries: str) -> str:  # noqa: F811
    with pytest.raises(DataError) as raised:
        pinned(data_of(shop.source, queries or QUERIES))
    return str(raised.value)


def test_what_was_fetched_is_read_as_files(fetched: Shop) -> None:
    data = pinned(data_of(fetched.source, QUERIES))
    assert (data.interactions.file, data.interactions.query) == ("interactions.parquet", None)
    assert (data.items.file, data.users.file) == ("items.parquet", None)


def test_files_are_as_they_were() -> None:
    data = data_of(None, {})
    assert pinned(data) is data


def test_a_snapshot_that_is_missing(shop: Shop) -> None:  # noqa: F811
    words = "raw: nothing is there that was fetched, as data.interactions.query needs; run: "
    assert refusal(shop) == f"{words}twotower fetch"


def test_a_query_that_has_changed(fetched: Shop) -> None:
    other = refusal(fetched, **QUERIES | {"items": "SELECT item_id FROM articles"})
    assert other.startswith("raw/fetch.json: the items were fetched by another query")
    more = refusal(fetched, **QUERIES, users="SELECT * FROM people")
    assert more.startswith("raw/fetch.json: the users were fetched by another query")
    less = refusal(fetched, interactions=QUERIES["interactions"])
    assert less.startswith("raw/fetch.json: the items were fetched by another query")
    fetched.source = "sqlite:///other.db"
    assert "the interactions were fetched by another query" in refusal(fetched)


def test_files_that_are_not_what_was_fetched(fetched: Shop) -> None:
    path = Path("raw/items.parquet")
    content = path.read_bytes()
    path.write_bytes(content[:-1] + b"\0")
    assert refusal(fetched).startswith("raw/items.parquet: not what was fetched: its SHA-256")
    path.unlink()
    assert refusal(fetched).startswith("raw/items.parquet: not what was fetched")
    path.write_bytes(content)
    pinned(data_of(fetched.source, QUERIES))


@pytest.mark.parametrize("content", ["{", "[]", '{"format_version": 1}'])
def test_a_damaged_record(fetched: Shop, content: str) -> None:
    Path("raw/fetch.json").write_text(content)
    assert refusal(fetched).startswith("raw/fetch.json: damaged (")


def test_a_record_that_was_edited_or_is_of_another_version(fetched: Shop) -> None:
    path = Path("raw/fetch.json")
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {"tables": {}}))
    assert "damaged (its checksum is wrong)" in refusal(fetched)
    path.write_text('{"format_version": 2, "tables": {}}')
    assert refusal(fetched).startswith("raw/fetch.json: of format_version 2, this twotower reads 1")


def test_a_folder_of_others_holds_nothing_fetched(fetched: Shop) -> None:
    data = data_of(fetched.source, QUERIES | {"users": "SELECT * FROM people"})
    assert fetched_here(Path("raw"), data) == {"interactions", "items"}
    assert fetched_here(Path(), data) == set()
    assert Snapshot.read(Path()) is None
