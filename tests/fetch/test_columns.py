"""Types of the columns that values of a driver become."""

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from twotower.common.errors import DataError
from twotower.fetch.columns import storable, to_table

ID = uuid.UUID("12345678-1234-5678-1234-567812345678")
LIMA = dt.timezone(dt.timedelta(hours=-5))


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([1, None], pa.int64(), [1, None]),
        ([1, 2.5], pa.float64(), [1.0, 2.5]),
        ([True, None], pa.bool_(), [True, None]),
        ([Decimal("1.5"), Decimal("20.25")], pa.decimal128(4, 2), None),
        ([2**64 - 1, 5], pa.decimal128(20, 0), [Decimal(2**64 - 1), Decimal(5)]),
        ([ID, None], pa.string(), [str(ID), None]),
        ([dt.timedelta(days=1)], pa.string(), ["1 day, 0:00:00"]),
        ([{"b": 1, "a": [2]}], pa.string(), ['{"a": [2], "b": 1}']),
        ([[{"a": 1}]], pa.string(), ['[{"a": 1}]']),
        ([[1, 2], None], pa.list_(pa.int64()), [[1, 2], None]),
        ([[ID]], pa.list_(pa.string()), [[str(ID)]]),
        ([memoryview(b"ab")], pa.binary(), [b"ab"]),
        ([dt.date(2024, 1, 2)], pa.date32(), None),
        ([dt.datetime(2024, 1, 2, 3)], pa.timestamp("us"), None),
    ],
)
def test_a_column_has_the_type_of_its_values(
    values: list[Any], kind: pa.DataType, expected: list[Any] | None
) -> None:
    column = to_table(["a"], [(value,) for value in values])["a"]
    assert column.type == kind
    assert column.to_pylist() == (values if expected is None else expected)


def test_times_with_a_zone_are_kept_in_utc() -> None:
    night = dt.datetime(2024, 1, 2, 20, tzinfo=LIMA)
    column = to_table(["at"], [(night,)])["at"]
    kept = column.cast(storable(column.type))
    assert kept.type == pa.timestamp("us", "UTC")
    assert kept.to_pylist() == [dt.datetime(2024, 1, 3, 1, tzinfo=dt.UTC)]


@pytest.mark.parametrize("values", [[1, "a"], [True, 1], [b"a", 1], [Decimal("NaN")], [[1, "a"]]])
def test_values_without_a_type_in_common_are_named(values: list[Any]) -> None:
    with pytest.raises(DataError, match=r"column 'a' has values of .*: cast it in the query"):
        to_table(["a"], [(value,) for value in values])
