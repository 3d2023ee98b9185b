"""Values of a database driver as Arrow columns."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa

from twotower.common.bounded import one_line
from twotower.common.errors import DataError

MAX_INT = (1 << 63) - 1


def to_table(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> pa.Table:
    """Rows as a table whose types are those of its values.

    Args:
        names: of the columns.
        rows: at least one.

    Raises:
        DataError: naming the column whose values have no type in common.
    """
    columns = zip(names, zip(*rows, strict=True), strict=True)
    arrays = [_column(name, values) for name, values in columns]
    return pa.Table.from_arrays(arrays, names=list(names))


def storable(kind: pa.DataType) -> pa.DataType:
    """The type in which a column is kept, one that every reader of Parquet has.

    Times with a zone are in UTC; of only nulls, text.
    """
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        return pa.timestamp(kind.unit, "UTC")
    if pa.types.is_dictionary(kind):
        return kind.value_type
    return pa.string() if pa.types.is_null(kind) else kind


def _column(name: str, values: Sequence[Any]) -> pa.Array:
    try:
        array = pa.array(values)
        if _is_plain(array.type):
            return array
    except (pa.ArrowException, OverflowError, TypeError):
        pass  # a value that is no plain one may become one
    try:
        return pa.array([_plain(value) for value in values])
    except (pa.ArrowException, OverflowError, TypeError) as error:
        kinds = ", ".join(sorted({type(v).__name__ for v in values if v is not None}))
        msg = f"column {name!r} has values of {kinds} ({one_line(error)}): cast it in the query"
        raise DataError(msg) from None


def _is_plain(kind: pa.DataType) -> bool:
    """Whether it is kept as it is: no structure, duration, or type of an extension."""
    if pa.types.is_list(kind):
        return not pa.types.is_nested(kind.value_type) and _is_plain(kind.value_type)
    is_odd = pa.types.is_nested(kind) or pa.types.is_duration(kind) or pa.types.is_interval(kind)
    return not is_odd and not isinstance(kind, pa.BaseExtensionType)


def _plain(value: Any) -> Any:
    """UUIDs, durations and the like as text, structures as JSON, large integers as decimals."""
    if value is None or isinstance(value, str | bytes | bool | float | Decimal):
        return value
    if isinstance(value, int):
        return value if abs(value) <= MAX_INT else Decimal(value)
    if isinstance(value, dict) or (isinstance(value, list) and _is_nested(value)):
        return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return str(value)


def _is_nested(values: list[Any]) -> bool:
    return any(isinstance(value, dict | list) for value in values)
