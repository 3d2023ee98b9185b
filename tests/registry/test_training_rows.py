"""Which rows a model was trained on."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import events
from twotower.common.errors import RegistryError
from twotower.registry.training_rows import (
    count_trained_on,
    read_training_rows,
    row_hashes,
    write_training_rows,
)

Row = tuple[int, int, int]
KNOWN = [4212548740352539615, 13269404676278708298]
ROWS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.integers(0, 2)), max_size=12)


def frame(rows: list[Row]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"], dtype="int64")


def sorted_hashes(rows: list[Row]) -> np.ndarray:
    return np.sort(row_hashes(frame(rows)))


def test_hashes_are_the_same_everywhere() -> None:
    """Models that are registered already have them."""
    rows = pd.DataFrame({"user_id": [1, 7], "item_id": [2, 7], "timestamp": [3, 0]})
    assert row_hashes(rows).tolist() == KNOWN
    as_text = rows.assign(user_id=rows["user_id"].astype(str))
    assert row_hashes(as_text).tolist() == KNOWN


def test_distinct_rows_have_distinct_hashes() -> None:
    rows = events(seed=0, num_users=200, per_user=50)
    distinct = rows.drop_duplicates(["user_id", "item_id", "timestamp"])
    assert len(np.unique(row_hashes(rows))) == len(distinct)
    swapped = rows.rename(columns={"user_id": "item_id", "item_id": "user_id"})
    assert not set(row_hashes(rows)) & set(row_hashes(swapped))


@given(ROWS, ROWS, ROWS)
def test_counted_as_by_a_loop(test: list[Row], trained_on: list[Row], allowed: list[Row]) -> None:
    found = count_trained_on(frame(test), sorted_hashes(trained_on), sorted_hashes(allowed))
    assert found == sum(trained_on.count(row) > allowed.count(row) for row in test)


def test_round_trip(tmp_path: Path) -> None:
    rows = events(seed=0)
    write_training_rows(tmp_path / "rows.npy", rows)
    again = read_training_rows(tmp_path / "rows.npy", len(rows))
    assert again.tolist() == np.sort(row_hashes(rows)).tolist()
    np.save(tmp_path / "unsorted.npy", again[::-1])
    for name, count in (("absent", 9), ("unsorted", len(rows)), ("rows", len(rows) - 1)):
        with pytest.raises(RegistryError, match="training rows cannot be read"):
            read_training_rows(tmp_path / f"{name}.npy", count)
