"""Parquet files, whose columns have types."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from twotower.common.bounded import one_line
from twotower.common.errors import DataError
from twotower.config.data import DataConfig
from twotower.ingest.sources.raw_text import is_gzip, read_bytes
from twotower.ingest.sources.source import Source

BATCH_ROWS = 1 << 17


def open_parquet(path: Path, config: DataConfig) -> Source:  # noqa: ARG001 - as in every row
    """Open a Parquet file."""
    return ParquetSource(path)


class ParquetSource(Source):
    """A Parquet file."""

    typed = True
    optional_columns = True

    def __init__(self, path: Path) -> None:
        """Read the schema.

        Raises:
            DataError: if this is not a Parquet file, or a column name occurs twice.
        """
        self._path = path
        # In a gzip file no column can be found without undoing all of it.
        self._data = read_bytes(path) if is_gzip(path) else None
        with self._open() as file:
            super().__init__(str(path), file.schema_arrow.names)

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """See Source.batches; columns keep their types."""
        with self._open() as file:
            for batch in file.iter_batches(BATCH_ROWS, columns=list(columns)):
                yield _plain_text(batch)

    @contextmanager
    def _open(self) -> Iterator[pq.ParquetFile]:
        """The file, closed afterwards: Windows cannot replace an open one."""
        try:
            source = self._path if self._data is None else pa.BufferReader(self._data)
            with pq.ParquetFile(source) as file:
                yield file
        except (pa.ArrowException, OSError) as error:
            if not self._path.is_file():
                read_bytes(self._path)  # says why
            reason = one_line(error)
            msg = f"{self._path}: damaged or not a Parquet file: {reason}"
            if reason.startswith("Expected all lists to be of size"):
                msg = (
                    f"{self._path}: has a column of fixed-size lists with nulls, which pyarrow "
                    f"cannot read: write lists of any size there ({reason})"
                )
            raise DataError(msg) from None


def _plain_text(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Views, as Polars writes text, as plain strings or bytes, on which every kernel works."""
    fields = [field.with_type(_without_views(field.type)) for field in batch.schema]
    return batch.cast(pa.schema(fields))


def _without_views(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(_without_views(kind.value_type))
    if pa.types.is_binary_view(kind):
        return pa.binary()
    return pa.string() if pa.types.is_string_view(kind) else kind
