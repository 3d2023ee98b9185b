"""The stage of docs/warehouses.md: it runs when a query has changed, or when it is told to."""

import re
import sqlite3
from contextlib import closing

import pandas as pd
import pytest

from tests.conftest import REPOSITORY
from tests.pipeline.project import Project
from tests.pipeline.test_secrets import leaks
from twotower.verification.rerun import REPRO
from twotower.verification.scratch import Checkout, scratch_clone

STAGE = re.search(
    r"```yaml\n(  fetch:\n.*?)```",
    (REPOSITORY / "docs/warehouses.md").read_text("utf-8"),
    re.DOTALL,
)[1]
AGAIN = ("repro", "--force", "--single-item", "fetch")


@pytest.fixture
def fetching(project: Project) -> Project:
    """The finished repository, whose shop now comes from a database, with the stage."""
    with closing(sqlite3.connect(project.path("shop.db"))) as database, database:
        for name in ("interactions", "items", "users"):
            table = pd.read_csv(project.path(f"data/shop/{name}.csv"), dtype=str)
            table.to_sql(name, database, index=False)
    project.set("data.root", "data/fetched")
    project.set("data.source", "sqlite:///${SHOP_DB}")
    for name, columns in (
        ("interactions", "user_id, item_id, timestamp"),
        ("items", "item_id, category, CAST(price AS REAL) AS price"),
        ("users", "user_id, city"),
    ):
        project.set(f"data.{name}.file", None)
        project.set(f"data.{name}.query", f"SELECT {columns} FROM {name}")  # noqa: S608
    text = project.read("dvc.yaml").replace("stages:\n", f"stages:\n{STAGE}\n", 1)
    project.path("dvc.yaml").write_text(text, encoding="utf-8")
    project.path(".gitignore").open("a", encoding="utf-8").write("/shop.db\n")
    return project


def ran(output: str) -> list[str]:
    return re.findall(r"Running stage '(\w+)'", output)


def failed(project: Project, *arguments: str) -> str:
    """What DVC prints, which must end badly."""
    process = project.start("dvc", *arguments)
    output, _ = process.communicate()
    assert process.returncode
    return output


def test_it_runs_when_a_query_changes_or_when_asked_but_not_for_verify(
    fetching: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHOP_DB", "shop.db")
    fetching.run("twotower", "fetch")
    by_hand = fetching.digests("data/fetched")
    assert ran(fetching.dvc("repro", "prepare")) == ["fetch", "prepare"]
    assert fetching.digests("data/fetched") == by_hand
    assert ran(fetching.dvc("repro", "prepare")) == []
    fetching.commit("Fetched")
    assert "data/fetched" not in fetching.git("ls-files")
    assert leaks(fetching.root) == ["shop.db"]  # and no copy of columns that no query names
    with closing(sqlite3.connect(fetching.path("shop.db"))) as database, database:
        database.execute("DELETE FROM interactions WHERE rowid % 10 = 0")
    assert ran(fetching.dvc("repro", "prepare")) == []  # what is in the database is not asked
    monkeypatch.setenv("SHOP_DB", "absent.db")
    assert "error: data.source: ***: no such file" in failed(fetching, *AGAIN)
    assert fetching.digests("data/fetched") == by_hand
    monkeypatch.setenv("SHOP_DB", "shop.db")
    assert ran(fetching.dvc(*AGAIN)) == ["fetch"]
    assert fetching.digests("data/fetched") != by_hand
    assert ran(fetching.dvc("repro", "prepare")) == ["prepare"]
    fetching.set("data.users.query", "SELECT user_id, city FROM users WHERE user_id <> '000'")
    fetching.set("data.on_invalid", "drop")
    assert ran(fetching.dvc("repro", "prepare")) == ["fetch", "prepare"]
    _verify_takes_the_snapshot(fetching, monkeypatch)


def _verify_takes_the_snapshot(fetching: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """And does not ask the database."""
    fetching.commit("Fetched again")
    monkeypatch.setenv("SHOP_DB", "absent.db")
    with scratch_clone(Checkout.at(fetching.root), fetching.path(".dvc/cache")) as scratch:
        clone = Project(scratch.folder)
        assert clone.digests("data/fetched") == fetching.digests("data/fetched")
        assert "prepare" in ran(clone.dvc(*REPRO[2:], "prepare"))
        assert clone.digests("data/prepared") == fetching.digests("data/prepared")
