"""Columns of raw data as plain types: ids, numbers and text."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from twotower.common.arrays import BoolArray, Float64Array
from twotower.common.errors import DataError

GROUPED, DECIMAL = "grouped", "decimal"
"""What a point in a number may be: between thousands, as in 1.234, or a decimal mark."""
OTHER_MARK = {".": ",", ",": "."}
OTHER_GROUPS = " \u00a0\u202f'\u2019"
"""Blanks and apostrophes, which group thousands in French and in Switzerland."""
FORMULA = '="'
"""How a cell begins that spreadsheets keep as text, ="007"."""


def as_text(column: Any, where: str) -> Any:
    """The column as strings; nulls stay.

    Args:
        column: [num_rows] array or chunked array.
        where: source and column, for the message.

    Raises:
        DataError: if the type has no text form.
    """
    try:
        return column.cast(pa.string())
    except pa.ArrowException:
        msg = f"{where}: values of type {column.type} are not supported"
        raise DataError(msg) from None


def as_labels(column: Any, where: str) -> Any:
    """The column as strings without blanks around them; null where a cell is blank.

    Args:
        column: [num_rows] array or chunked array.
        where: source and column, for the message.

    Raises:
        DataError: if the type has no text form.
    """
    text = pc.utf8_trim_whitespace(as_text(column, where))
    return pc.if_else(pc.equal(text, ""), None, text)


def as_ids(column: Any, where: str, key: str) -> Any:
    """The column as int64 or string, whichever it is; nulls stay, and ="007" becomes 007.

    Args:
        column: [num_rows] array or chunked array.
        where: source and column, for the message.
        key: the parameter that declares the type of ids, for the message.

    Raises:
        DataError: if ids have another type; floats and decimals are accepted if all are whole
            (integers with nulls may have become floats), and floats if they are exact. Integers
            beyond 64 bits are text.
    """
    kind = column.type
    if pa.types.is_dictionary(kind):
        return as_ids(column.cast(kind.value_type), where, key)
    if pa.types.is_floating(kind):
        column = pc.if_else(column.is_null(nan_is_null=True), None, column)
        _check_exact(column, where)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        try:
            return column.cast(pa.int64())
        except pa.ArrowInvalid:
            return _beyond_integers(column, where, key)
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)):
        column = _text_of_bytes(column, where)
    texts = column.cast(pa.string())
    if pc.any(pc.match_substring(texts, FORMULA)).as_py():
        texts = pc.replace_substring_regex(texts, r'^\s*="([^"]*)"\s*$', r"\1")
    return texts


def _beyond_integers(ids: Any, where: str, key: str) -> Any:
    """Whole numbers beyond 64 bits as text, as they are in files without types."""
    if pa.types.is_integer(ids.type):
        return ids.cast(pa.string())
    whole = pc.equal(pc.floor(ids), ids)
    if not pc.all(whole).as_py():
        first = ids.filter(pc.invert(whole))[0].as_py()
        msg = (
            f"{where}: ids must be text or integers, got type {ids.type} with {first}; write them "
            f"as text, and set {key}: text"
        )
        raise DataError(msg)
    return ids.cast(pa.decimal256(76, 0)).cast(pa.string())


def _text_of_bytes(ids: Any, where: str) -> Any:
    """Text of writers that do not say so."""
    kind = ids.type
    is_bytes = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    try:
        if is_bytes or pa.types.is_fixed_size_binary(kind):
            return ids.cast(pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        pass
    msg = f"{where}: ids must be text or integers, got type {kind}; write them as one of these"
    raise DataError(msg)


def _check_exact(ids: Any, where: str) -> None:
    """Refuse floats so large that integers beside them became the same float."""
    bits = {16: 11, 32: 24, 64: 53}[ids.type.bit_width]
    largest = pc.max(pc.abs(ids.cast(pa.float64()))).as_py()
    if largest is not None and largest > 2**bits:
        msg = (
            f"{where}: ids of type {ids.type} are exact up to {2**bits}, got {largest:.0f}; write "
            "them as integers or text"
        )
        raise DataError(msg)


def blank(column: Any) -> BoolArray:
    """[num_rows] whether a value is null, NaN, empty or only white space."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        empty = pc.equal(pc.utf8_trim_whitespace(column), "")
        return _mask(pc.fill_null(empty, fill_value=True))
    return _mask(column.is_null(nan_is_null=True))


def as_numbers(column: Any, where: str, decimal: str | None = None) -> Float64Array:
    """[num_rows] float64; NaN where the value is missing or not a number.

    Args:
        column: [num_rows] array or chunked array.
        where: source and column, for the message.
        decimal: mark of numbers in text, the other one of "." and "," may group thousands; None: a
            point, and no grouping. With one, blanks and apostrophes may group, too.

    Raises:
        DataError: if the type is neither numeric nor text.
    """
    kind = column.type
    if pa.types.is_boolean(kind) or pa.types.is_temporal(kind):
        msg = f"{where}: must be numeric, got type {kind}"
        raise DataError(msg)
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        text = as_text(column, where)
        if decimal != "," and (plain := _plain_numbers(text)) is not None:
            return plain
        column = _number_text(pc.utf8_trim_whitespace(text), decimal)
    numbers = column.cast(pa.float64(), safe=False)
    return np.asarray(_to_numpy(numbers), dtype=np.float64)


def meanings_of_points(column: Any, decimal: str | None) -> set[str]:
    """What the points in a column's numbers may be, GROUPED, DECIMAL, or both in several numbers.

    Args:
        column: [num_rows] as the source holds it.
        decimal: declared mark; with one, and in columns that are not text, nothing is unsure.
    """
    kind = column.type
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    if decimal or is_number:
        return set()
    column = as_text(column, "")
    points = pc.match_substring(column, ".")
    if not pc.any(points).as_py():
        return set()
    numbers = pc.utf8_trim_whitespace(column.filter(points))
    grouped = pc.match_substring_regex(numbers, r"^[+-]?[1-9][0-9]{0,2}(\.[0-9]{3})+$")
    found = {True: GROUPED, False: DECIMAL}
    return {found[value] for value in pc.unique(grouped).to_pylist()}


def number_rule(decimal: str | None) -> str:
    """What to do about a number that is not read as one, for a message."""
    if decimal is None:
        return " (of numbers such as 112,88 or 1,234.5, data.decimal settles the mark)"
    return f" (data.decimal: {decimal!r})"


def _plain_numbers(column: Any) -> Float64Array | None:
    """Numbers that are all written as Arrow reads them, which is far faster than patterns are."""
    try:
        numbers = np.asarray(_to_numpy(column.cast(pa.float64())), dtype=np.float64)
    except pa.ArrowInvalid:
        return None
    return numbers if np.isfinite(numbers).all() else None  # it reads "inf" and "nan", too


def _number_text(text: Any, decimal: str | None) -> Any:
    """Numbers as Arrow reads them; null for anything else."""
    mark = decimal or "."
    if decimal:
        group = f"[{OTHER_MARK[decimal]}{OTHER_GROUPS}]"
        pattern = rf"^[+-]?[0-9]{{1,3}}({group}[0-9]{{3}})+(\{mark}[0-9]*)?$"
        grouped = pc.match_substring_regex(text, pattern)
        text = pc.if_else(grouped, pc.replace_substring_regex(text, group, ""), text)
    pattern = rf"^[+-]?([0-9]+\{mark}?[0-9]*|\{mark}[0-9]+)([eE][+-]?[0-9]+)?$"
    text = pc.if_else(pc.match_substring_regex(text, pattern), text, None)
    if mark == ",":
        text = pc.replace_substring(text, ",", ".")
    return pc.utf8_ltrim(text, characters="+")


def _to_numpy(column: Any) -> Any:
    if isinstance(column, pa.ChunkedArray):
        return column.to_numpy()
    return column.to_numpy(zero_copy_only=False)


def _mask(values: Any) -> BoolArray:
    return np.asarray(_to_numpy(values), dtype=bool)
