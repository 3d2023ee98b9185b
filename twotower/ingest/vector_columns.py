"""Vectors in a column of a table: lists of numbers, or text with numbers in it."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from twotower.common.arrays import BoolArray, Float32Array, Int64Array
from twotower.common.errors import DataError
from twotower.config.declared_features import FeatureConfig
from twotower.ingest.convert import as_numbers, as_text
from twotower.ingest.row_check import RowCheck

BRACKETS = "[](){} \t\n"
"""Around the numbers of a text."""
SHOWN_WIDTHS = 3


def read_vectors(
    column: pa.ChunkedArray,
    name: str,
    config: FeatureConfig,
    check: RowCheck,
    *,
    where: str,
    decimal: str | None,
) -> pa.ChunkedArray:
    """[num_rows] fixed-size lists of float32; null where a cell is blank or an empty list.

    Args:
        column: [num_rows] lists of numbers of any type, or text.
        name: of the column in the file.
        config: how the feature is declared.
        check: judges the cells; those that it lets pass are missing values.
        where: file and column, for messages.
        decimal: mark of numbers in text.

    Raises:
        DataError: if the type does not fit, or there is no vector at all.
    """
    lists = _as_lists(column, config.separator, where)
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy().astype(np.int64)
    width = _usual_width(lengths, where)
    fits = lengths == width
    check.require_cells(
        fits | (lengths == 0),
        rule="vector_width",
        column=name,
        expected=f"is a {config.kind} feature: all vectors must have {width} numbers, as most do "
        f"(got {_others(lengths, width)} here)",
    )
    rows = np.zeros((len(column), width), dtype=np.float32)
    start = 0
    for chunk in lists.chunks:
        inside = fits[start : start + len(chunk)]
        flat = (chunk if inside.all() else chunk.filter(pa.array(inside))).flatten()
        rows[start : start + len(chunk)][inside] = _numbers(flat, where, decimal).reshape(-1, width)
        start += len(chunk)
    finite = all_finite(rows)
    check.require_cells(
        finite,
        rule="bad_vector",
        column=name,
        expected=f"is a {config.kind} feature: all elements of a vector must be finite numbers "
        f"(in the first, {first_bad_element(rows, finite)}){_between(column, config)}",
    )
    return as_lists(rows, missing=~(fits & finite))


def as_lists(rows: Float32Array, *, missing: BoolArray) -> pa.ChunkedArray:
    """The rows of an array, [num_rows, width], as fixed-size lists without a copy, or null."""
    flat = pa.array(rows.reshape(-1))
    lists = pa.FixedSizeListArray.from_arrays(flat, rows.shape[1], mask=pa.array(missing))
    return pa.chunked_array([lists])


def all_finite(rows: Float32Array) -> BoolArray:
    """[num_rows] whether all elements of a row are finite."""
    return np.asarray(np.isfinite(rows).all(axis=1), dtype=bool)


def first_bad_element(rows: Float32Array, finite: BoolArray) -> str:
    """What is wrong with the first row that is not finite, for a message."""
    row = rows[np.argmin(finite)]
    element = int(np.argmin(np.isfinite(row)))
    what = "no number" if np.isnan(row[element]) else "infinite, or beyond 32 bits"
    return f"element {element + 1} is {what}"


def _holds_lists(column: pa.ChunkedArray) -> bool:
    kinds = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(is_kind(column.type) for is_kind in kinds)


def _between(column: pa.ChunkedArray, config: FeatureConfig) -> str:
    """How the numbers of a text are told apart, for a message."""
    return "" if _holds_lists(column) else f", with {config.separator!r} (separator) between them"


def _as_lists(column: pa.ChunkedArray, separator: str, where: str) -> pa.ChunkedArray:
    if _holds_lists(column):
        return column
    text = pc.utf8_trim(as_text(column, where), characters=BRACKETS)
    text = pc.if_else(pc.equal(text, ""), None, text)
    if separator.isspace():
        return pc.utf8_split_whitespace(text)
    return pc.split_pattern(text, separator)


def _usual_width(lengths: Int64Array, where: str) -> int:
    """The most frequent length of a list that is not empty."""
    counts = np.bincount(lengths, minlength=1)
    counts[0] = 0
    if not counts.any():
        msg = f"{where}: is a vector feature, but has no vectors: all cells are blank"
        raise DataError(msg)
    return int(np.argmax(counts))


def _others(lengths: Int64Array, width: int) -> str:
    """The first other lengths, in words."""
    others = lengths[(lengths != width) & (lengths != 0)]
    distinct = list(dict.fromkeys(others[:1000].tolist()))
    rest = ", …" if len(distinct) > SHOWN_WIDTHS else ""
    return ", ".join(map(str, distinct[:SHOWN_WIDTHS])) + rest


def _numbers(flat: Any, where: str, decimal: str | None) -> Float32Array:
    """[num_elements] float32; NaN for what is no number, infinite beyond float32."""
    if not pa.types.is_floating(flat.type):
        flat = pa.array(as_numbers(flat, where, decimal))
    numbers: Float32Array = flat.cast(pa.float32(), safe=False).to_numpy(zero_copy_only=False)
    return numbers
