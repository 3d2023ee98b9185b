"""The search cannot see the test split."""

import numpy as np
import pandas as pd
import pytest

from tests.pipeline.project import Project

PREPARED = "data/prepared/"


def test_the_search_depends_on_no_test_file(finished: Project) -> None:
    assert _read_by_search(finished) == [
        f"{PREPARED}{name}"
        for name in (
            *("train.parquet", "validation.parquet", "validation_history.parquet", "vocabulary"),
        )
    ]


@pytest.mark.parametrize("tables", [True, False])
def test_other_test_rows_leave_all_that_the_search_reads(project: Project, *, tables: bool) -> None:
    if not tables:  # then the items of the events are all the items there are
        _drop_tables(project)
    names, test = _read_by_search(project), f"{PREPARED}test.parquet"
    before, test_before = project.digests(*names), project.digests(test)
    held_out = pd.read_parquet(project.path(test))
    stranger = "032" if tables else "new"
    project.change_events(lambda events: _with_other_items(events, held_out, stranger))
    project.stage("prepare")
    assert project.digests(*names) == before
    assert project.digests(test) != test_before
    assert stranger in set(pd.read_parquet(project.path(test))["item_id"])


def _read_by_search(project: Project) -> list[str]:
    return [name for name in project.stages()["hpo"]["deps"] if name.startswith(PREPARED)]


def _drop_tables(project: Project) -> None:
    for name in ("users", "items"):
        project.path(f"data/shop/{name}.csv").unlink()
        project.set(f"data.{name}.features", {})
    project.stage("prepare")


def _with_other_items(events: pd.DataFrame, held_out: pd.DataFrame, stranger: str) -> pd.DataFrame:
    """Exchange the items of test rows among users; every third is one that no other row has."""
    keys = set(zip(held_out["user_id"], held_out["timestamp"], strict=True))
    pairs = zip(events["user_id"], events["timestamp"].astype(int), strict=True)
    rows = np.flatnonzero([pair in keys for pair in pairs])
    assert len(rows) == len(held_out) > 0
    items = events["item_id"].to_numpy(copy=True)
    items[rows] = np.roll(items[rows], 1)
    items[rows[::3]] = stranger
    return events.assign(item_id=items)
