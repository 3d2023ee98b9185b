import math
from datetime import timedelta

import pyarrow as pa
import pytest

from tests.inspection.columns import column


@pytest.mark.parametrize(
    ("values", "decimal"),
    [
        (["1,5", "2,25", "3"], ","),
        (["1.234,56", "12,5"], ","),
        (["1.5", "2"], "."),
        (["1,234", "1,234,567.5"], "."),
        (["1,234", "5,678"], None),  # which may be either
        (["1,234", "5.5"], "."),
        (["1,125", "0,125"], ","),  # no thousands begin with 0
        (["1,125", "1234,125"], ","),
        (["1.234.567", "1.234"], ","),
        (["1 234,5", "1\u202f234,5", "1'234,5", "2 000"], ","),
        (["1 234.5", "1,234"], "."),
        (["1", "2"], None),
        (["1,5", "red", "blue"], None),
        (["a,b"], None),
    ],
)
def test_decimal_mark(values: list[str], decimal: str | None) -> None:
    assert column(values).decimal == decimal


@pytest.mark.parametrize(
    ("values", "unsure"),
    [(["1,234", "5"], True), (["1,234", "5.5"], False), (["1,234", "0,5"], False),
     (["5"], False), (["1,234", "red"], False)],
)  # fmt: skip
def test_commas_that_may_be_either(values: list[str], unsure: bool) -> None:
    assert column(values).is_mark_unsure == unsure


def test_numbers_by_their_own_mark() -> None:
    assert column(["1,234", "5"]).own_numbers.tolist() == [1.234, 5]
    assert column(["1,234", "5.5"]).own_numbers.tolist() == [1234, 5.5]


def test_numbers_with_a_type_tell_no_mark() -> None:
    assert (column([1.5]).decimal, column([1.5]).text_decimal) == (".", None)
    assert column(["1.5"]).text_decimal == "."


def test_nan_is_blank() -> None:
    made = column([1.0, math.nan, None])
    assert made.counts == {"1": 1}
    assert made.share_filled == 1 / 3


def test_groups() -> None:
    assert column(["1,234", "5.5"]).has_groups
    assert not column(["1234.5", "5"]).has_groups


def test_counts_of_trimmed_values() -> None:
    made = column([" a", "b", "a", "", None, "  "])
    assert made.counts == {"a": 2, "b": 1}
    assert made.share_filled == pytest.approx(3 / 6)
    assert made.share_distinct == pytest.approx(2 / 3)


def test_lists_and_nested_values() -> None:
    lists = column([["x", "y"], [], None, ["x"]])
    assert lists.counts == {"x": 2, "y": 1}
    assert lists.share_filled == 3 / 4
    assert column([{"a": 1}]).is_nested
    assert column([{"a": 1}]).counts == {}
    assert column([b"\0" * 16], kind=pa.binary(16)).is_nested
    assert column([[{"a": 1}]]).counts == {}


@pytest.mark.parametrize(
    ("values", "kind", "width"),
    [
        ([[0.5, 1.5], [], None, [2.0, 3.0]], pa.list_(pa.float32()), 2),
        ([[1, 2], [3, 4]], pa.list_(pa.int8(), 2), 2),
        ([["0.5", "-1e3"], ["2", "3"]], pa.list_(pa.string()), 2),
        ([["1", "2"], ["3", "4"]], pa.list_(pa.string()), 0),  # codes
        ([["0.5", "x"]], pa.list_(pa.string()), 0),
        ([[0.5, 1.5], [2.0]], pa.list_(pa.float32()), 0),
        ([[0.5], [1.5]], pa.list_(pa.float32()), 0),
        ([None, None], pa.list_(pa.float32()), 0),
        ([0.5], pa.float32(), 0),
    ],
    ids=str,
)
def test_vectors(values: list, kind: pa.DataType, width: int) -> None:
    made = column(values, kind=kind)
    assert made.vector_width == width
    if width:
        assert made.counts == {}  # of a million numbers, counting takes minutes


def test_numbers() -> None:
    made = column(["1.234,5", "x", "2"])
    assert [str(number) for number in made.numbers(",")] == ["1234.5", "nan", "2.0"]
    assert made.first_text(",") == "x"
    assert math.isclose(made.share_numeric(","), 2 / 3)
    assert column([1.5, None]).share_numeric(None) == 1


@pytest.mark.parametrize(
    ("values", "share"), [(["1", "7.0"], 1), (["007", "7"], 0.5), (["+5", "x"], 0)]
)
def test_integer_ids(values: list[str], share: float) -> None:
    assert column(values).share_canonical == share


def test_the_odd_one_out() -> None:
    assert column(["1", "guest", "2"]).first_other == "guest"


@pytest.mark.parametrize(
    ("value", "personal"),
    [
        ("ana@example.com", True), ("+34 600 11 22 33", True), ("600 112 233", True),
        ("(555) 123-4567", True), ("03.01.2025", False), ("2025-01-03", False),
        ("8412345678901", False), ("SKU-1", False), ("1234567890.1700000000", False),
    ],
)  # fmt: skip
def test_personal_data(value: str, personal: bool) -> None:
    assert column([value]).is_personal == personal


@pytest.mark.parametrize(
    ("values", "are"),
    [(["0", "1", "2"], True), ([1, 2, 3], True), (["1", "3", "2"], False), (["7", "8"], False),
     (["1", "", "2"], False), (["a"], False)],
)  # fmt: skip
def test_numbers_of_the_rows(values: list[str], are: bool) -> None:
    assert column(values).numbers_rows == are


def test_types_of_times() -> None:
    assert column([0], kind=pa.timestamp("s")).is_time
    assert column([0], kind=pa.date32()).is_time
    assert not column(["2024-01-01"]).is_time


def test_bytes_that_are_no_text() -> None:
    assert column([b"caf\xe9"]).is_nested
    assert not column([b"caf\xc3\xa9"]).is_nested


def test_a_span_of_time_is_no_time() -> None:
    assert not len(column([timedelta(seconds=1)]).filled)
