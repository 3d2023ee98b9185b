"""Parquet files of ids that nobody vouches for: they take no more memory than they have ids."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from twotower.artifacts.content import Bytes
from twotower.common.bounded import shortened

PER_ID = 4096
"""Bytes of an id, at most, on average."""
PER_ROW = 1 << 17
"""Bytes of all other cells of a row, likewise: vectors of 32,768 numbers together."""
FREE = 1 << 24
"""Bytes that any file may take besides."""


def open_parquet(content: Bytes, path: Path, key: str) -> pq.ParquetFile:
    """Open a vocabulary; of text, a repeated value is kept once.

    Raises:
        ValueError: if it is none, or says of itself that it is larger than ids are.
    """
    source = pa.BufferReader(pa.py_buffer(content))
    metadata = pq.read_metadata(source)
    schema = metadata.schema.to_arrow_schema()
    if schema.get_field_index(key) < 0:
        msg = f"{path.name} has no column {key}"
        raise ValueError(msg)
    kind = schema.field(key).type
    if not (pa.types.is_int64(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        msg = f"{path.name}: {key} must be int64 or text, got {shortened(str(kind))}"
        raise ValueError(msg)
    check_size(metadata, path, key)
    text = [] if pa.types.is_int64(kind) else [key]
    return pq.ParquetFile(source, metadata=metadata, read_dictionary=text)


def check_size(metadata: pq.FileMetaData, path: Path, key: str) -> None:
    """Refuse what would take far more memory than as many rows do.

    Raises:
        ValueError: if it does by its own account.
    """
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    sizes = {PER_ID: 0, PER_ROW: 0}
    for column in (group.column(number) for group in groups for number in range(group.num_columns)):
        is_id = column.path_in_schema == key
        if column.physical_type == "BYTE_ARRAY" and not is_id:  # stored once, read many times
            msg = f"{path.name}: has text besides the ids"
            raise ValueError(msg)
        size = max(column.total_uncompressed_size, 4 * column.num_values)
        sizes[PER_ID if is_id else PER_ROW] += size if size >= 0 else 1 << 63
    for per_row, size in sizes.items():
        if not 0 <= size <= FREE + metadata.num_rows * per_row:
            msg = f"{path.name}: {metadata.num_rows:,} rows of {size:,} bytes are no vocabulary"
            raise ValueError(msg)


def read_distinct(file: pq.ParquetFile, key: str) -> Any:
    """The column of ids; text is written out only if each value occurs once.

    Raises:
        ValueError: if a value is repeated, or a row is missing.
    """
    column = file.read(columns=[key])[key]
    if len(column) != file.metadata.num_rows:
        msg = f"{len(column):,} of {file.metadata.num_rows:,} rows"
        raise ValueError(msg)
    if not pa.types.is_dictionary(column.type):
        return column
    if any(len(chunk.indices.unique()) != len(chunk) for chunk in column.chunks):
        msg = "an id is repeated, or missing"
        raise ValueError(msg)
    return column.cast(column.type.value_type)
