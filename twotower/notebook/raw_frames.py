"""Data frames as raw files, which the prepare stage reads like any other."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from twotower.common.errors import DataError
from twotower.common.files import atomic_write


def write_frame(path: Path, frame: Any, name: str) -> None:
    """Write a data frame as Parquet, without its index.

    What Parquet has no type for, such as a column of numbers and text, becomes text, as it would in
    a CSV file.

    Args:
        path: of the file.
        frame: of pandas; or of polars, or whatever else gives its columns to Arrow.
        name: what messages call it.

    Raises:
        DataError: if it is no data frame, or cannot be written.
    """
    table = _from_pandas(frame, name) if isinstance(frame, pd.DataFrame) else _other(frame, name)
    try:
        with atomic_write(path) as handle:
            pq.write_table(table, handle, compression="zstd")
    except pa.ArrowException as error:
        msg = f"{name}: cannot be kept as Parquet: {' '.join(str(error).split())}"
        raise DataError(msg) from None


def index_hint(error: str, frames: Mapping[str, Any]) -> str:
    """What to add to an error about a missing column: it may be in an index, which is not read."""
    for name, frame in frames.items():
        if f"{name}.parquet: cannot find" in error and isinstance(frame, pd.DataFrame):
            levels = [str(level) for level in frame.index.names if level is not None]
            if levels:
                return f"; reset_index() makes columns of its index ({', '.join(levels)})"
    return ""


def _other(frame: Any, name: str) -> pa.Table:
    """Of another library, by Arrow's protocol; a single column has it too, and is no table."""
    if hasattr(frame, "__arrow_c_stream__") and hasattr(frame, "columns"):
        return pa.table(frame)
    msg = f"{name}: must be a data frame of pandas or polars, got {type(frame).__name__}"
    raise DataError(msg)


def _from_pandas(frame: pd.DataFrame, name: str) -> pa.Table:
    if frame.columns.nlevels > 1:
        msg = f"{name}: its columns have names of {frame.columns.nlevels} levels; give each one"
        raise DataError(msg)
    names = [str(column) for column in frame.columns]
    columns = [frame.iloc[:, number] for number in range(len(names))]
    return pa.Table.from_arrays([_array(column) for column in columns], names=names)


def _array(column: "pd.Series[Any]") -> Any:
    """A column as Arrow has it, or else as text."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_convert(None)  # in UTC, as times without a zone are read
    try:
        array = pa.array(column, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return _text(column)
    kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    is_odd = isinstance(kind, pa.BaseExtensionType) or pa.types.is_struct(kind)
    return _text(column) if is_odd else array


def _text(column: "pd.Series[Any]") -> pa.Array:
    pairs = zip(column, column.isna(), strict=True)
    texts = (None if absent else str(value) for value, absent in pairs)
    # Half of a pair of surrogates is no text in any file.
    return pa.array([t and t.encode("utf-8", "replace").decode() for t in texts], pa.string())
