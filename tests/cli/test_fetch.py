"""`twotower fetch`, and what inspect makes of what it wrote."""

import json
from pathlib import Path

import pytest
import yaml

from tests.cli.command import error_of, twotower
from tests.fetch.conftest import QUERIES, Shop, shop  # noqa: F401


@pytest.fixture
def project(shop: Shop) -> Shop:  # noqa: F811
    """The shop with a params.yaml that fetches it."""
    tables = {name: {"query": query} for name, query in QUERIES.items()}
    data = {"root": "raw", "source": shop.source, **tables}
    Path("params.yaml").write_text(json.dumps({"data": data}))
    return shop


@pytest.mark.usefixtures("project")
def test_it_says_what_it_wrote() -> None:
    assert twotower("fetch").stdout.splitlines() == [
        "interactions: raw/interactions.parquet, 4 rows of user_id, item_id, at",
        "  sorted by its columns, as the query has no ORDER BY",
        "items: raw/items.parquet, 3 rows of item_id, price",
        "  sorted by its columns, as the query has no ORDER BY",
        "raw/fetch.json pins them; next: twotower check",
    ]


def test_check_asks_for_it(project: Shop) -> None:
    assert error_of("check").endswith("run: twotower fetch\n")
    twotower("fetch")
    twotower("check")
    (project.root / "items.parquet").write_bytes(b"")
    assert "not what was fetched" in error_of("check")


def test_a_failure_is_one_line(project: Shop) -> None:
    Path("shop.db").unlink()
    assert error_of("fetch") == "data.source: shop.db: no such file\n"
    assert not project.root.exists()
    Path("params.yaml").write_text("{}")
    assert error_of("fetch").startswith("nothing to fetch")


@pytest.mark.usefixtures("project")
def test_inspect_keeps_the_queries_of_what_was_fetched() -> None:
    twotower("fetch")
    assert "fetch.json" not in twotower("inspect", "raw").stdout
    data = yaml.safe_load(Path("params.yaml").read_text())["data"]
    assert data["interactions"]["query"] == QUERIES["interactions"]
    assert data["interactions"]["columns"]["timestamp"] == "at"
    assert (data["items"]["query"], data["items"]["id"]) == (QUERIES["items"], "item_id")
    assert "file" not in data["items"]
    twotower("check")


@pytest.mark.usefixtures("project")
def test_inspect_drops_the_queries_for_another_folder() -> None:
    Path("exports").mkdir()
    Path("exports/sales.csv").write_text("user_id,item_id\n1,10\n2,11\n2,10\n")
    twotower("inspect", "exports")
    data = yaml.safe_load(Path("params.yaml").read_text())["data"]
    assert data["interactions"]["query"] is None
    assert (data["root"], data["interactions"]["file"]) == ("exports", "sales.csv")
    assert data["items"] == {"query": None, "file": False, "id_type": "auto", "features": {}}
