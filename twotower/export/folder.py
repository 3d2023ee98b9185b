"""Exports to files: a folder that appears when it is complete.

rows.parquet     what row i is: its id, position and the other columns
export.json      of which model, how the vectors are compared, and the files with their sizes
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from twotower.common.arrays import Float32Array
from twotower.common.errors import ExportError
from twotower.common.files import named, read_json, write_json
from twotower.common.folders import atomic_folder, is_replaceable
from twotower.common.paths import check_place
from twotower.export.destination import VECTOR, Batch, Schema
from twotower.export.rows import arrow_schema

MANIFEST = "export.json"
ROWS = "rows.parquet"


class VectorFile(Protocol):
    """A file of vectors beside ROWS."""

    def add(self, vectors: Float32Array) -> None:
        """Append rows, [n, dim] float32."""

    def finish(self) -> None:
        """Write what is not written yet."""


@dataclass(frozen=True)
class _Begun:
    """A folder that is being written."""

    folder: Path
    file: IO[bytes]
    rows: pq.ParquetWriter
    vectors: VectorFile | None


class FolderWriter:
    """A Writer of a folder; nothing is there until `publish`."""

    def __init__(
        self,
        place: str,
        schema: Schema,
        kind: str,
        vectors: Callable[[Path, Schema], VectorFile] | None = None,
    ) -> None:
        """Check that the folder may be written.

        Args:
            place: path of the folder.
            schema: what is exported.
            kind: name of the destination.
            vectors: makes their file in a folder; None: they are a column of ROWS.

        Raises:
            ConfigError: if the folder is below a file.
            ExportError: if it holds something else than an export.
        """
        self._path, self._schema, self._kind, self._vectors = Path(place), schema, kind, vectors
        check_place(self._path)
        if not is_replaceable(self._path, MANIFEST):
            msg = f"{place}: is not a folder that `twotower export` wrote, so it is not replaced"
            raise ExportError(msg)
        self._stack = ExitStack()
        self._begun: _Begun | None = None
        self._written = 0

    def is_current(self) -> bool:
        """See `Writer`; the files must have the sizes that they had."""
        try:
            return bool(read_json(self._path / MANIFEST) == self._manifest(self._path))
        except (OSError, ValueError):
            return False

    def existing(self) -> int:
        """Rows that this run has written; one that was cut short leaves none."""
        return self._written

    def write(self, batch: Batch) -> None:
        """See `Writer`."""
        self._begun = begun = self._begun or self._begin()
        table = pa.Table.from_batches([batch.columns])
        with named(self._path, begun.folder):
            if begun.vectors is None:
                flat = pa.array(batch.vectors.reshape(-1))
                column = pa.FixedSizeListArray.from_arrays(flat, self._schema.dim)
                table = table.append_column(VECTOR, column)
            else:
                begun.vectors.add(batch.vectors)
            begun.rows.write_table(table.cast(begun.rows.schema))
        self._written += len(batch)

    def publish(self) -> None:
        """See `Writer`; nothing is kept of the folder before, whose readers have its files open."""
        begun = self._begun or self._begin()
        with named(self._path, begun.folder):
            begun.rows.close()
            begun.file.close()
            if begun.vectors is not None:
                begun.vectors.finish()
        write_json(begun.folder / MANIFEST, self._manifest(begun.folder))
        self._stack.close()

    def close(self) -> None:
        """See `Writer`; what was not published is gone."""
        abandoned = ExportError("abandoned")
        self._stack.__exit__(ExportError, abandoned, None)

    def _begin(self) -> _Begun:
        schema = arrow_schema(self._schema)
        if self._vectors is None:
            lists = pa.list_(pa.field("element", pa.float32(), nullable=False), self._schema.dim)
            schema = schema.append(pa.field(VECTOR, lists, nullable=False))
        folder = self._stack.enter_context(atomic_folder(self._path, MANIFEST))
        handle = self._stack.enter_context((folder / ROWS).open("xb"))
        repeated = [field.name for field in self._schema.fields]  # numbers of vectors hardly are
        rows = pq.ParquetWriter(handle, schema, compression="zstd", use_dictionary=repeated)
        self._stack.enter_context(rows)
        return _Begun(folder, handle, rows, self._vectors and self._vectors(folder, self._schema))

    def _manifest(self, folder: Path) -> dict[str, Any]:
        """What MANIFEST says of the files in a folder."""
        files = sorted(path for path in folder.iterdir() if path.name != MANIFEST)
        return self._schema.mark | {
            "format": self._kind,
            "name": self._schema.name,
            "count": self._schema.count,
            "dim": self._schema.dim,
            "metric": "inner product",
            "files": {path.name: path.stat().st_size for path in files},
        }
