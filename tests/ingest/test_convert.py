import datetime as dt

import numpy as np
import pyarrow as pa
import pytest

from twotower.common.errors import DataError
from twotower.ingest.convert import (
    as_ids,
    as_numbers,
    as_seconds,
    blank,
    describe_ids,
    settle_ids,
)


def column(values, kind=None) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, kind)])


@pytest.mark.parametrize(
    ("values", "typed", "expected"),
    [
        (["1", "20", "-3", "0"], False, [1, 20, -3, 0]),
        (["1", "007"], False, ["1", "007"]),
        (["1", "NA"], False, ["1", "NA"]),
        (["1", "-0"], False, ["1", "-0"]),
        (["1", "1.0"], False, ["1", "1.0"]),
        (["1", " 2"], False, ["1", " 2"]),
        (["9223372036854775807"], False, [9223372036854775807]),
        (["9223372036854775808"], False, ["9223372036854775808"]),
        (["1", "2"], True, ["1", "2"]),
        ([1, 2], True, [1, 2]),
    ],
)
def test_id_type_is_decided_over_the_column(values, typed, expected):
    assert settle_ids(as_ids(column(values), "f"), typed=typed).to_pylist() == expected


def test_parquet_ids():
    assert as_ids(column([1, None], pa.uint32()), "f").to_pylist() == [1, None]
    assert as_ids(column([1.0, float("nan")]), "f").to_pylist() == [1, None]
    assert as_ids(column(["a", "b"]).dictionary_encode(), "f").to_pylist() == ["a", "b"]


@pytest.mark.parametrize(
    "values",
    [
        [1.5],
        [True],
        [dt.date(2024, 1, 1)],
        np.array([2**64 - 1], dtype=np.uint64),
        [b"\xff"],
        [[1]],
    ],
    ids=str,
)
def test_other_types_are_no_ids(values):
    with pytest.raises(DataError, match=r"f\.parquet: column 'u': ids must be text or 64-bit"):
        as_ids(column(values), "f.parquet: column 'u'")


def test_describe_ids_shows_what_makes_them_text():
    assert describe_ids(column(["1", "007"])) == "text such as '007'"
    assert describe_ids(column(["1"])) == "text such as '1'"
    assert describe_ids(column([5, 7])) == "integers such as 5"


def test_blank():
    assert blank(column(["a", "", " \t", None, "NA"])).tolist() == [False, True, True, True, False]
    assert blank(column([1.0, float("nan"), None])).tolist() == [False, True, True]
    assert blank(column(["", "a"]).dictionary_encode()).tolist() == [True, False]


def test_numbers_from_text():
    texts = ["1", "+2.5", " -3. ", ".5", "1e3", "", "nan", "inf", "1_000", "0x10", "1,5", "abc"]
    expected = [1, 2.5, -3, 0.5, 1000] + [np.nan] * 7
    np.testing.assert_array_equal(as_numbers(column(texts), "f"), expected)


def test_numbers_of_other_types():
    with pytest.raises(DataError, match="must be numeric, got type bool"):
        as_numbers(column([True]), "f")
    with pytest.raises(DataError, match=r"values of type list.* are not supported"):
        as_numbers(column([[1]]), "f")


MIDNIGHT = 1_704_067_200
"""2024-01-01T00:00:00Z: `date -u -d 2024-01-01 +%s`."""


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("1704067200", MIDNIGHT),
        ("1704067200.9", MIDNIGHT + 0.9),
        ("-1", -1),
        ("-0.5", -0.5),
        ("2024-01-01", MIDNIGHT),
        (" 2024-01-01 00:00:00 ", MIDNIGHT),
        ("2024-01-01T00:00:00Z", MIDNIGHT),
        ("2024-01-01T00:00:00.999999", MIDNIGHT + 0.999999),
        ("2024-01-01T02:00:00+02:00", MIDNIGHT),
        ("1969-12-31T23:59:59.5", -0.5),
        ("2199-12-31 23:59:59.5", 7_258_118_399.5),
        ("1900-01-01", -2_208_988_800),
    ],
)
def test_one_time(value, seconds):
    got, valid = as_seconds(column([value]), "f")
    assert (got.tolist(), valid.tolist()) == ([seconds], [True])


@pytest.mark.parametrize(
    "value",
    ["", "now", "today", "yesterday", "2024-13-01", "2024-02-30", "01/02/2024", "1704067200000",
     "2200-01-01", "0001-01-01", "9999-12-31", "nan", "inf", "2024-01-01 25:00:00", None],
)  # fmt: skip
def test_no_time(value):
    got, valid = as_seconds(column([value], pa.string()), "f")
    assert (got.tolist(), valid.tolist()) == ([0], [False])


def test_numbers_among_dates_are_invalid():
    _, valid = as_seconds(column(["2024-01-01", "20240102", "2024-01-03T00:00+02:00"]), "f")
    assert valid.tolist() == [True, False, True]
    _, valid = as_seconds(column(["1704067200", "", "2024-01-03", "5"]), "f")
    assert valid.tolist() == [True, False, False, True]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Madrid"])
def test_parquet_times(unit, zone):
    moment = dt.datetime(2024, 1, 1, tzinfo=dt.UTC if zone else None)
    values = column([moment, None], pa.timestamp(unit, zone))
    got, valid = as_seconds(values, "f")
    assert (got.tolist(), valid.tolist()) == ([MIDNIGHT, 0], [True, False])


@pytest.mark.parametrize("far", [2**63 - 1, 2**62, -(2**62), -(2**63) + 1])
@pytest.mark.parametrize("unit", ["ms", "us"])
def test_far_parquet_times_do_not_come_round_to_near_ones(unit, far):
    got, valid = as_seconds(column([far, 0], pa.timestamp(unit)), "f")
    assert (got.tolist(), valid.tolist()) == ([0, 0], [False, True])


def test_parquet_dates_and_numbers():
    assert as_seconds(column([dt.date(2024, 1, 1)]), "f")[0].tolist() == [MIDNIGHT]
    assert as_seconds(column([MIDNIGHT]), "f")[0].tolist() == [MIDNIGHT]
    assert as_seconds(column([MIDNIGHT * 1000]), "f")[1].tolist() == [False]
    with pytest.raises(DataError, match="type time32"):
        as_seconds(column([dt.time(1)], pa.time32("s")), "f")


@pytest.mark.parametrize("type_", [pa.string(), pa.int64(), pa.float64()])
def test_dates_without_hyphens(type_):
    days = pa.array(["19991231", "20240229", None]).cast(type_)
    got, valid = as_seconds(pa.chunked_array([days]), "f")
    assert got.tolist() == [946_598_400.0, 1_709_164_800.0, 0.0]
    assert valid.tolist() == [True, True, False]


@pytest.mark.parametrize("other", [20240230, 18991231, 22000101, 5, 20240101.5])
def test_numbers_that_are_not_all_dates_are_seconds(other):
    got, _ = as_seconds(column([20240131.0, float(other)]), "f")
    assert got.tolist() == [20240131.0, other]
