import numpy as np
import pyarrow as pa
import pytest

from twotower.common.errors import DataError
from twotower.ingest.convert import (
    DECIMAL,
    GROUPED,
    as_labels,
    as_numbers,
    blank,
    meanings_of_points,
)

NAN = float("nan")


def column(values, kind=None) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, kind)])


def test_labels():
    assert as_labels(column([" a ", " ", None]), "x").to_pylist() == ["a", None, None]
    assert as_labels(column([7, None]), "x").to_pylist() == ["7", None]
    with pytest.raises(DataError, match=r"^items\.parquet: column 'name': values of type struct"):
        as_labels(column([{"a": 1}]), "items.parquet: column 'name'")


def test_blank():
    assert blank(column(["a", "", " \t", None, "NA"])).tolist() == [False, True, True, True, False]
    assert blank(column([1.0, float("nan"), None])).tolist() == [False, True, True]
    assert blank(column(["", "a"]).dictionary_encode()).tolist() == [True, False]


@pytest.mark.parametrize(
    ("decimal", "numbers"),
    [
        (None, {"1.5": 1.5, "1,5": NAN, "1,234.5": NAN, "1.234,5": NAN, "1.234": 1.234}),
        (".", {"1.5": 1.5, "1,5": NAN, "1,234.5": 1234.5, "1,234": 1234, "-1,234,567": -1234567}),
        (",", {"1,5": 1.5, "112,88": 112.88, "1.234,5": 1234.5, "1.5": NAN, "1.234": 1234}),
        (",", {"1 234,5": 1234.5, "1\u202f234": 1234, "1 2,5": NAN, "12 34": NAN}),
        (".", {"1'234.5": 1234.5, "1\u2019234": 1234}),
    ],
)
def test_decimal_mark(decimal, numbers):
    got = as_numbers(pa.array(list(numbers)), "f", decimal)
    np.testing.assert_array_equal(got, list(numbers.values()))


@pytest.mark.parametrize(
    ("texts", "decimal", "expected"),
    [
        (["1.234", "12.000", "7", " ", None], None, {GROUPED}),
        (["1.234", "0.125"], None, {GROUPED, DECIMAL}),
        (["1.5"], None, {DECIMAL}),
        (["7", None], None, set()),
        (["1.234"], ",", set()),
        ([1.234], None, set()),
    ],
)
def test_what_points_may_mean(texts, decimal, expected):
    assert meanings_of_points(pa.array(texts), decimal) == expected
    assert meanings_of_points(pa.array(texts).dictionary_encode(), ".") == set()


def test_numbers_from_text():
    texts = ["1", "+2.5", " -3. ", ".5", "1e3", "", "nan", "inf", "1_000", "0x10", "1,5", "abc"]
    expected = [1, 2.5, -3, 0.5, 1000] + [np.nan] * 7
    np.testing.assert_array_equal(as_numbers(column(texts), "f"), expected)


def test_numbers_of_other_types():
    decimals = column(["1.50", None]).cast(pa.decimal128(9, 2))
    np.testing.assert_array_equal(as_numbers(decimals, "f"), [1.5, np.nan])
    with pytest.raises(DataError, match="must be numeric, got type bool"):
        as_numbers(column([True]), "f")
    with pytest.raises(DataError, match=r"values of type list.* are not supported"):
        as_numbers(column([[1]]), "f")
