"""Columns of raw data as ids, numbers, times and text."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from twotower.common.arrays import BoolArray, Float64Array
from twotower.common.errors import DataError

INTEGER = r"^(0|-?[1-9][0-9]{0,18})$"
"""Integers in canonical form; 007, +5, 1.0 and -0 are not."""
NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
FIRST_DAY, LAST_DAY = 19000101, 21991231
"""Dates without hyphens. As seconds since 1970 they would be in August and September 1970."""
FIRST_SECOND, LAST_SECOND = -2_208_988_800, 7_258_118_399
"""1900-01-01 and the last second of 2199; recent times in milliseconds are beyond."""
SECONDS_RULE = (
    "must be seconds since 1970 (UTC) or an ISO date and time, the same kind in all rows, "
    "between 1900 and 2199 (divide milliseconds by 1000)"
)


def as_text(column: pa.ChunkedArray, where: str) -> pa.ChunkedArray:
    """The column as strings; nulls stay.

    Args:
        column: [num_rows].
        where: source and column, for the message.

    Raises:
        DataError: if the type has no text form.
    """
    try:
        return column.cast(pa.string())
    except pa.ArrowException:
        msg = f"{where}: values of type {column.type} are not supported"
        raise DataError(msg) from None


def as_ids(column: pa.ChunkedArray, where: str) -> pa.ChunkedArray:
    """The column as int64 or string, whichever it is; nulls stay.

    Raises:
        DataError: if ids have another type; floats are accepted if all are whole (integers with
            nulls may have become floats).
    """
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return column.cast(pa.string())
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        try:
            return pc.if_else(_is_nan(column), None, column).cast(pa.int64())
        except pa.ArrowInvalid:
            pass
    msg = f"{where}: ids must be text or 64-bit integers, got type {kind}"
    raise DataError(msg)


def settle_ids(ids: pa.ChunkedArray, *, typed: bool) -> pa.ChunkedArray:
    """Decide for a whole column of ids: int64 if all are integers, else strings.

    Args:
        ids: [num_rows] int64 or string, without nulls.
        typed: whether the source itself has typed strings (Parquet); then they stay.
    """
    if typed or pa.types.is_integer(ids.type):
        return ids
    if not pc.all(pc.match_substring_regex(ids, INTEGER)).as_py():
        return ids
    try:
        return ids.cast(pa.int64())
    except pa.ArrowInvalid:
        return ids


def describe_ids(ids: pa.ChunkedArray) -> str:
    """What the ids are, for a message: "integers such as 7", or "text such as '007'".

    Args:
        ids: [num_rows > 0] settled.
    """
    if pa.types.is_integer(ids.type):
        return f"integers such as {ids[0].as_py()}"
    not_integers = ids.filter(pc.invert(pc.match_substring_regex(ids, INTEGER)))
    return f"text such as {(not_integers if len(not_integers) else ids)[0].as_py()!r}"


def blank(column: pa.ChunkedArray) -> BoolArray:
    """[num_rows] whether a value is null, NaN, empty or only white space."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        empty = pc.equal(pc.utf8_trim_whitespace(column), "")
        return _mask(pc.fill_null(empty, fill_value=True))
    return _mask(column.is_null(nan_is_null=True))


def as_numbers(column: pa.ChunkedArray, where: str) -> Float64Array:
    """[num_rows] float64; NaN where the value is missing or not a number.

    Raises:
        DataError: if the type is neither numeric nor text.
    """
    kind = column.type
    if pa.types.is_boolean(kind) or pa.types.is_temporal(kind):
        msg = f"{where}: must be numeric, got type {kind}"
        raise DataError(msg)
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
        column = pc.utf8_trim_whitespace(as_text(column, where))
        column = pc.if_else(pc.match_substring_regex(column, NUMBER), column, None)
        column = pc.utf8_ltrim(column, characters="+")
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy(), dtype=np.float64)


def as_seconds(column: pa.ChunkedArray, where: str) -> tuple[Float64Array, BoolArray]:
    """Times as seconds since 1970, UTC, to the microsecond; times without a zone are UTC.

    Numbers are seconds, unless all of them are dates such as 20240131.

    Returns:
        [num_rows] float64 (0 where invalid) and [num_rows] whether the value is valid: not
        missing, readable, of the kind (number or date) of most rows, and between 1900 and 2199.

    Raises:
        DataError: if the type is neither numeric, nor text, nor a time.
    """
    if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
        # Far times overflow as microseconds, and no unit overflows as seconds.
        whole, micros = (_count(column, unit) for unit in ("s", "us"))
        near = (whole >= FIRST_SECOND) & (whole <= LAST_SECOND)
        numbers = np.where(near, micros / 1e6, np.nan)
    else:
        numbers = as_numbers(column, where)
        text = pc.utf8_trim_whitespace(as_text(column, where))
        is_date = pc.match_substring_regex(text, DATE)
        if pc.sum(is_date, min_count=0).as_py() > np.isfinite(numbers).sum():
            # Without the pattern, pandas would read "now" and "today" as the time of the run.
            numbers = _parse_dates(pc.if_else(is_date, text, None))
        else:
            numbers = _as_days(numbers)
    valid = (numbers >= FIRST_SECOND) & (numbers < LAST_SECOND + 1)
    return np.where(valid, numbers, 0.0), valid


def _as_days(numbers: Float64Array) -> Float64Array:
    """Seconds since 1970 if all numbers are dates such as 20240131; else the numbers."""
    finite = np.isfinite(numbers)
    values = numbers[finite]
    if not len(values) or values.min() < FIRST_DAY or values.max() > LAST_DAY or (values % 1).any():
        return numbers
    text = pd.Series(values.astype(np.int64).astype(str))
    days = pd.to_datetime(text, format="%Y%m%d", errors="coerce")
    if days.isna().any():
        return numbers
    seconds = numbers.copy()
    seconds[finite] = days.to_numpy("datetime64[s]").astype(np.int64)
    return seconds


def _count(column: pa.ChunkedArray, unit: str) -> Float64Array:
    """[num_rows] times as a number of units since 1970, NaN where null."""
    stamps = column.cast(pa.timestamp(unit), safe=False).cast(pa.int64())
    return np.asarray(stamps.cast(pa.float64(), safe=False).to_numpy())


def _parse_dates(text: pa.ChunkedArray) -> Float64Array:
    """[num_rows] seconds since 1970, NaN where `text` is null or not a date."""
    values: Any = text.to_pandas()
    dates = pd.to_datetime(values, format="ISO8601", utc=True, errors="coerce")
    stamps = dates.dt.tz_localize(None).to_numpy("datetime64[us]").astype(np.int64)
    return np.where(dates.notna(), stamps / 1e6, np.nan)


def _is_nan(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.is_null(column, nan_is_null=True)


def _mask(values: pa.ChunkedArray) -> BoolArray:
    return np.asarray(values.to_numpy(), dtype=bool)
