"""Parquet files, whose columns have types of their own."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from twotower.common.arrays import Int64Array
from twotower.common.errors import DataError
from twotower.ingest.sources.source import check_header


class ParquetSource:
    """A Parquet file."""

    typed = True
    place = "row"

    def __init__(self, path: Path, data: bytes) -> None:
        """Read the schema.

        Raises:
            DataError: if this is no Parquet file, or a column name occurs twice.
        """
        self.path = path
        try:
            self._file = pq.ParquetFile(pa.BufferReader(data))
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(error) from None
        self.header = check_header(path, self._file.schema_arrow.names)

    def load(self, columns: Sequence[str]) -> tuple[pa.Table, int]:
        """See Source.load; columns keep their types."""
        try:
            return _plain_text(self._file.read(columns=list(columns))), 0
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(error) from None

    def places(self, rows: Int64Array) -> list[int]:
        """See Source.places; the first row is 1."""
        return [int(row) + 1 for row in rows]

    def ragged(self, limit: int) -> list[tuple[int, int]]:  # noqa: ARG002 - part of the protocol
        """See Source.ragged; there are none."""
        return []

    def _damaged(self, error: Exception) -> DataError:
        return DataError(f"{self.path}: damaged, or not Parquet: {' '.join(str(error).split())}")


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
