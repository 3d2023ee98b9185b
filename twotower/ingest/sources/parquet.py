"""Parquet files, whose columns have types."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from twotower.common.errors import DataError
from twotower.config.data import DataConfig
from twotower.ingest.sources.raw_bytes import read_bytes
from twotower.ingest.sources.source import Source


def open_parquet(path: Path, config: DataConfig) -> Source:  # noqa: ARG001 - as in every row
    """Open a Parquet file."""
    return ParquetSource(str(path), read_bytes(path))


class ParquetSource(Source):
    """A Parquet file."""

    typed = True

    def __init__(self, name: str, data: bytes) -> None:
        """Read the schema.

        Args:
            name: for messages.
            data: content of the file.

        Raises:
            DataError: if this is not a Parquet file, or a column name occurs twice.
        """
        try:
            self._file = pq.ParquetFile(pa.BufferReader(data))
        except (pa.ArrowException, OSError) as error:
            raise _damaged(name, error) from None
        super().__init__(name, self._file.schema_arrow.names)

    def load(self, columns: Sequence[str]) -> tuple[pa.Table, int]:
        """See Source.load; columns keep their types."""
        try:
            return _plain_text(self._file.read(columns=list(columns))), 0
        except (pa.ArrowException, OSError) as error:
            raise _damaged(self.name, error) from None


def _damaged(name: str, error: Exception) -> DataError:
    return DataError(f"{name}: damaged or not a Parquet file: {' '.join(str(error).split())}")


def _plain_text(table: pa.Table) -> pa.Table:
    """Views, as Polars writes text, as plain strings or bytes, on which every kernel works."""
    fields = [field.with_type(_without_views(field.type)) for field in table.schema]
    return table.cast(pa.schema(fields))


def _without_views(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(_without_views(kind.value_type))
    if pa.types.is_binary_view(kind):
        return pa.binary()
    return pa.string() if pa.types.is_string_view(kind) else kind
