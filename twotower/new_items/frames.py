"""Data frames, as tables of Arrow and as raw data that has no file."""

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd
import pyarrow as pa

from twotower.common.errors import DataError
from twotower.ingest.sources.source import Source


class FrameSource(Source):
    """A data frame as raw data; its rows count from 1, whatever its index is."""

    typed = True

    def __init__(self, table: pa.Table, name: str) -> None:
        """Check the header.

        Args:
            table: what `frame_table` returned.
            name: what messages call it.

        Raises:
            DataError: naming the columns that occur more than once.
        """
        super().__init__(name, table.column_names)
        self._table = table

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """See Source.batches; columns keep their types."""
        yield from self._table.select(list(columns)).to_batches()


def frame_table(frame: Any, name: str) -> pa.Table:
    """A data frame without its index.

    What Parquet has no type for, such as a column of numbers and text, becomes text, as it would in
    a CSV file.

    Args:
        frame: of pandas; or of polars, or whatever else gives its columns to Arrow.
        name: what messages call it.

    Raises:
        DataError: if it is no data frame.
    """
    return _from_pandas(frame, name) if isinstance(frame, pd.DataFrame) else _other(frame, name)


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
