"""Whatever a column of a frame holds, the prepare stage reads what a file would have."""

import datetime as dt
import decimal
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from twotower.common.errors import DataError
from twotower.config import parse_config
from twotower.ingest.prepare import examine
from twotower.notebook.raw_frames import write_frame

MOMENTS = pd.to_datetime(["2025-03-01 12:00:00", "2025-03-02 13:00:00", "2025-03-03 14:00:00"])
SECONDS = [1740830400, 1740920400, 1741010400]


def read(folder: Path, frame: Any) -> pd.DataFrame:
    """The rows by user and time, as the prepare stage would train on them."""
    raw = folder / "raw"
    write_frame(raw / "interactions.parquet", frame, "interactions")
    config = parse_config({"data": {"root": str(raw)}, "split": {"validation": 0, "test": 0}})
    return examine(config, folder / "prepared").splits["train"]


def framed(**columns: Any) -> pd.DataFrame:
    ids = {"user_id": [1, 2, 3], "item_id": ["a", "b", "c"]}
    kept = {k: pd.Series(v, [7, 7, 5], getattr(v, "dtype", None)) for k, v in columns.items()}
    return pd.DataFrame({**ids, **kept}, index=[7, 7, 5])


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (np.array([1, 2, 3], np.uint8), [1, 2, 3]),
        (pd.array([1, 2, 3], "Int64"), [1, 2, 3]),
        (np.array([1.0, 2.0, 3.0], np.float32), [1, 2, 3]),
        (pd.Categorical([3, 1, 3]), [3, 1, 3]),
        (pd.Categorical(["x", "y", "x"]), ["x", "y", "x"]),
        (pd.array(["x", "y", "z"], "string"), ["x", "y", "z"]),
        (pd.array([1, 2, 3], pd.ArrowDtype(pa.int32())), [1, 2, 3]),
        (np.array([1, "a7", 2.5], object), ["1", "a7", "2.5"]),
        ([2**70, 2**70 + 1, 5], [str(2**70), str(2**70 + 1), "5"]),
        (np.array([1, 2, decimal.Decimal(3)], object), [1, 2, 3]),
        ([uuid.UUID(int=n) for n in range(3)], [str(uuid.UUID(int=n)) for n in range(3)]),
        (np.array(["\ud800", "b", "c"], object), ["?", "b", "c"]),
    ],
    ids=repr,
)
def test_ids(tmp_path: Path, ids: Any, expected: list[Any]) -> None:
    assert read(tmp_path, framed(user_id=ids))["user_id"].tolist() == sorted(expected)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "times",
    [
        MOMENTS,
        MOMENTS.as_unit("ms").tz_localize("UTC"),
        MOMENTS.tz_localize("UTC").tz_convert("Asia/Tokyo"),
        MOMENTS.strftime("%Y-%m-%d %H:%M:%S"),
        [f"{moment:%Y-%m-%dT%H:%M:%S}+00:00" for moment in MOMENTS],
        np.array([moment.tz_localize("UTC") for moment in MOMENTS], object),
        SECONDS,
        [1000 * second for second in SECONDS],
    ],
    ids=lambda times: str(getattr(times, "dtype", type(times[0]))),
)
def test_times(tmp_path: Path, times: Any) -> None:
    assert read(tmp_path, framed(timestamp=times))["timestamp"].tolist() == SECONDS


def test_days_and_periods(tmp_path: Path) -> None:
    days = [dt.date(2025, 3, day) for day in (1, 2, 3)]
    expected = read(tmp_path, framed(date=days))["timestamp"].tolist()
    assert expected == [1740787200, 1740873600, 1740960000]
    periods = pd.PeriodIndex(days, freq="D")
    assert read(tmp_path, framed(date=periods))["timestamp"].tolist() == expected


def test_columns_that_nobody_reads_may_hold_anything(tmp_path: Path) -> None:
    odd: dict[str, Any] = {
        "nested": [{}, {"a": 1}, None],
        "complex": [1j, 2j, 3j],
        "object": [object(), 1, "x"],
        "set": [{1}, {2}, set()],
        "length": pd.to_timedelta([1, 2, 3], unit="h"),
        "interval": pd.IntervalIndex.from_breaks([0, 1, 2, 3]),
        "bins": pd.cut(pd.Series([0, 1, 2]), 2).array,
        "nothing": [None, None, None],
    }
    assert len(read(tmp_path, framed(**odd))) == 3


def test_columns_may_be_numbers_and_recognised_in_other_languages(tmp_path: Path) -> None:
    frame = pd.DataFrame({"ID Cliente": [1, 2], "artículo": [5, 6], "fecha": MOMENTS[:2], 9: 0})
    assert read(tmp_path, frame)["timestamp"].tolist() == SECONDS[:2]


def test_frames_of_other_libraries(tmp_path: Path) -> None:
    table = pa.Table.from_pandas(framed(), preserve_index=False)
    assert read(tmp_path, table)["item_id"].tolist() == ["a", "b", "c"]


LEVELS = pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("user_id", "a"), ("x", "b")]))


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ([[1, 2]], "must be a data frame of pandas or polars, got list"),
        (None, "must be a data frame of pandas or polars, got NoneType"),
        ("events.csv", "must be a data frame of pandas or polars, got str"),
        (pd.Series([1, 2]), "must be a data frame of pandas or polars, got Series"),
        (LEVELS, "its columns have names of 2 levels; give each one"),
    ],
)
def test_what_is_no_frame_is_refused(tmp_path: Path, frame: Any, message: str) -> None:
    with pytest.raises(DataError) as error:
        write_frame(tmp_path / "x.parquet", frame, "events")
    assert str(error.value) == f"events: {message}"


@pytest.mark.parametrize("cells", [[[3, 4.0], None], [np.array([3.0, 4.0]), None]], ids=repr)
def test_lists_and_arrays_of_numbers_are_vectors(tmp_path: Path, cells: list[Any]) -> None:
    raw = tmp_path / "raw"
    log = pd.DataFrame({"user_id": [1, 1, 2, 2], "item_id": [7, 8, 7, 8]})
    write_frame(raw / "interactions.parquet", log, "interactions")
    items = pd.DataFrame({"item_id": [7, 8], "emb": pd.Series(cells)})
    write_frame(raw / "items.parquet", items, "items")
    features = {"emb": {"kind": "vector", "normalise": True}}
    config = parse_config({"data": {"root": str(raw), "items": {"features": features}}})
    column = examine(config, tmp_path / "prepared").catalogue.items.features.columns["emb"]
    assert np.allclose(column.values, [[0.6, 0.8], [0, 0]])
