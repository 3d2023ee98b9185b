import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from twotower.ingest.codes import Codes
from twotower.ingest.events import Events, coded

IDS = st.lists(st.integers(-9, 9), max_size=20) | st.lists(st.text("aéz ", max_size=2), max_size=20)


def events(users: list[int], times: list[float]) -> Events:
    ids, codes = coded(pa.array(users), np.arange(len(users), dtype=np.int32))
    columns = {"user": codes, "item": codes.copy(), "timestamp": np.array(times)}
    return Events(
        {"user": ids, "item": ids},
        {**columns, "weight": np.ones(len(users)), "split": np.zeros(len(users), np.int8)},
    )


@settings(max_examples=40)
@given(IDS)
def test_ids_are_coded_in_their_order(ids):
    values, codes = coded(pa.array(ids), np.arange(len(ids), dtype=np.int32))
    assert values.to_pylist() == sorted(set(ids))
    assert [values[code].as_py() for code in codes] == ids


def test_values_without_rows_have_no_code():
    values, codes = coded(pa.array(["b", None, "a", "b", "c"]), np.array([3, 2, 0], np.int32))
    assert (values.to_pylist(), codes.tolist()) == (["a", "b"], [1, 0, 1])
    assert len(coded(pa.array([None], pa.string()), np.empty(0, np.int32))[0]) == 0


def test_rows_are_sorted_by_user_then_time_then_place():
    rows = events([9, 7, 9, 7], [2.5, 1.0, -0.5, 1.0])
    rows.columns["weight"] = np.arange(4.0)
    rows.sort()
    assert rows.columns["weight"].tolist() == [1, 3, 2, 0]
    assert rows.timestamps.tolist() == [1, 1, -1, 2]


def test_ids_leave_with_their_rows():
    rows = events([5, 6, 7], [0, 0, 0])
    rows.keep(np.array([True, False, True]))
    assert rows.ids["user"].to_pylist() == [5, 7]
    assert rows.columns["user"].tolist() == [0, 1]
    assert rows.frames()["train"]["user_id"].tolist() == [5, 7]
    assert rows.frames()["test"].empty


@pytest.mark.parametrize(
    ("batches", "values", "positions"),
    [
        ([["a", None, "b"], [], ["b", "c"]], ["a", "b", "c"], [0, -1, 1, 1, 2]),
        ([[7, 8], ["7", None]], ["7", "8"], [0, 1, 0, -1]),
        ([[None, None]], [], [-1, -1]),
        ([], [], []),
    ],
)
def test_codes_of_batches(batches, values, positions):
    codes = Codes()
    for batch in batches:
        codes.add(pa.array(batch, None if any(batch) else pa.string()))
    got, rows = codes.finish()
    assert (got.to_pylist(), rows.tolist()) == (values, positions)
