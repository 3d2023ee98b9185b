"""Parquet files, whose columns have types of their own."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from twotower.common.errors import DataError
from twotower.ingest.source import IntArray, check_header


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
            return self._file.read(columns=list(columns)), 0
        except (pa.ArrowException, OSError) as error:
            raise self._damaged(error) from None

    def places(self, rows: IntArray) -> list[int]:
        """See Source.places; the first row is 1."""
        return [int(row) + 1 for row in rows]

    def ragged(self, limit: int) -> list[tuple[int, int]]:  # noqa: ARG002 - part of the protocol
        """See Source.ragged; there are none."""
        return []

    def _damaged(self, error: Exception) -> DataError:
        return DataError(f"{self.path}: damaged, or not Parquet: {' '.join(str(error).split())}")
