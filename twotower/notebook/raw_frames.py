"""Data frames as raw files, which the prepare stage reads like any other."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from twotower.common.bounded import one_line
from twotower.common.errors import DataError
from twotower.common.files import atomic_write
from twotower.new_items.frames import frame_table


def write_frame(path: Path, frame: Any, name: str) -> None:
    """Write a data frame as Parquet; see `frame_table`.

    Args:
        path: of the file.
        frame: of pandas; or of polars, or whatever else gives its columns to Arrow.
        name: what messages call it.

    Raises:
        DataError: if it is no data frame, or cannot be written.
    """
    table = frame_table(frame, name)
    try:
        with atomic_write(path) as handle:
            pq.write_table(table, handle, compression="zstd")
    except pa.ArrowException as error:
        msg = f"{name}: cannot be kept as Parquet: {one_line(error)}"
        raise DataError(msg) from None


def index_hint(error: str, frames: Mapping[str, Any]) -> str:
    """What to add to an error about a missing column: it may be in an index, which is not read."""
    for name, frame in frames.items():
        if f"{name}.parquet: cannot find" in error and isinstance(frame, pd.DataFrame):
            levels = [str(level) for level in frame.index.names if level is not None]
            if levels:
                return f"; reset_index() makes columns of its index ({', '.join(levels)})"
    return ""
