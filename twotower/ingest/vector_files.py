"""Vectors in a NumPy file, beside a file of the ids that they belong to."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from twotower.common.arrays import BoolArray, Float32Array, Int64Array
from twotower.common.bounded import one_line
from twotower.common.errors import DataError
from twotower.common.sorted_keys import distinct
from twotower.config.data import DataConfig
from twotower.config.declared_features import FeatureConfig
from twotower.data.id_text import IdText
from twotower.ingest.feature_columns import RawFeature
from twotower.ingest.id_rules import check_ids
from twotower.ingest.ids import Ids, RawIds, describe_ids
from twotower.ingest.open_file import open_source
from twotower.ingest.problems import Problems
from twotower.ingest.recognised_names import columns_of, named_file
from twotower.ingest.row_check import RowCheck
from twotower.ingest.sources.raw_text import RawText
from twotower.ingest.sources.source import Source
from twotower.ingest.vector_columns import all_finite, as_lists, first_bad_element

BLOCK_ROWS = 1 << 14
"""Vectors that are copied out of a file at a time."""
MAGIC = b"\x93NUMPY"
"""How .npy files begin; those of several arrays, and pickled ones, do not."""

UNREADABLE = (
    EOFError,
    OverflowError,
    RecursionError,
    SyntaxError,
    TokenError,
    TypeError,
    ValueError,
)
"""What numpy raises of a damaged file: it reads the header as a literal of Python."""


@dataclass(frozen=True)
class VectorFiles:
    """The two files of a feature.

    Attributes:
        root: folder of the raw files.
        config: how the feature is declared; it names the files.
        role: "users" or "items".
        feature: its name.
    """

    root: Path
    config: FeatureConfig
    role: str
    feature: str

    @property
    def key(self) -> str:
        """What declares the feature in params.yaml."""
        return f"data.{self.role}.features.{self.feature}"

    @property
    def exist(self) -> bool:
        """Whether both files are there."""
        return all(
            (self.root / str(name)).is_file() for name in (self.config.file, self.config.ids)
        )

    def read(
        self, data: DataConfig, table: Ids, id_name: str, check: RowCheck, problems: Problems
    ) -> RawFeature:
        """The vector of each row of a table, by its id; vectors of other ids are counted.

        Args:
            data: section `data`.
            table: ids of the table.
            id_name: their column.
            check: judges rows of the table without a vector; what it lets pass is a missing value.
            problems: collects the rules that the ids of the vectors break.

        Raises:
            DataError: if a file is missing, damaged or of another kind, or they do not fit
                together.
        """
        path = named_file(self.root, str(self.config.file), f"{self.key}.file")
        vectors = _open_vectors(path, f"{self.key}.file")
        positions, num_unused = self._positions(len(vectors), data, table, problems)
        given = positions >= 0
        check.require_cells(
            given | table.blank,
            rule="no_vector",
            column=id_name,
            expected=f"must be in {self.config.ids}, the ids of the vectors ({self.key})",
        )
        rows = _gather(vectors, positions)
        finite = all_finite(rows)
        check.require_cells(
            finite,
            rule="bad_vector",
            column=id_name,
            expected=f"must have finite numbers in its vector in {self.config.file} ({self.key}; "
            f"{_first_bad(rows, finite, positions)})",
        )
        values = as_lists(rows, missing=~(given & finite))
        return RawFeature(self.config, values, num_unused=num_unused)

    def _positions(
        self, num_vectors: int, data: DataConfig, table: Ids, problems: Problems
    ) -> tuple[Int64Array, int]:
        """[num_rows] of the table: position of its id's vector, or -1; and how many are unused."""
        path = named_file(self.root, str(self.config.ids), f"{self.key}.ids")
        source = _open_ids(path, data, f"{self.key}.ids")
        [name] = source.header
        column = source.read([name])[name]
        if len(column) != num_vectors:
            msg = (
                f"{self.root / str(self.config.file)}: has {num_vectors:,} vectors, but {path} has "
                f"{len(column):,} ids ({self.key})"
            )
            raise DataError(msg)
        check = RowCheck(source, len(column), data, problems)
        raw = RawIds.of(column, source, name, f"data.{self.role}.id_type")
        integers = pa.types.is_integer(table.values.type)
        ids = raw.settle(integers=integers, text=IdText.of(data.unicode))
        rows = _first_rows(ids)
        found = pc.index_in(table.column, value_set=ids.column.take(pa.array(rows)))
        found = found.fill_null(-1).to_numpy().astype(np.int64)
        if not (found >= 0).any():
            shown = ids.column.drop_null()
            shown = shown if len(shown) else raw.values.drop_null()
            msg = (
                f"{raw.where}: none of these ids, {describe_ids(shown)}, is in "
                f"{table.raw.where}, which has {describe_ids(table.values.drop_null())} "
                f"(data.{self.role}.id_type settles what ids are)"
            )
            raise DataError(msg)
        check_ids(ids, name, check, f"data.{self.role}.id_type")
        check.report()
        positions = np.where(found >= 0, rows[found], -1)
        return positions, len(rows) - len(distinct(found[found >= 0]))


class _IdList(Source):
    """Ids that are no table."""

    def __init__(self, path: Path, ids: pa.Array, *, place: str, typed: bool) -> None:
        super().__init__(str(path), ["id"])
        self._ids = ids
        self._place = place
        self.typed = typed

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """See Source.batches."""
        yield pa.record_batch([self._ids], names=list(columns))

    def places(self, rows: Int64Array) -> list[str]:
        """See Source.places."""
        return [f"{self._place} {row + 1}" for row in rows.tolist()]


def _open_ids(path: Path, data: DataConfig, key: str) -> Source:
    """The ids of vectors: a .npy file, a text file with one a line, or a table of one column."""
    match path.suffix.lower():
        case ".npy":
            array = _load(path, key)
            if array.ndim != 1 or array.dtype.kind not in "iuUS":
                msg = f"{path}: must be one row of integers or text ({key}), got {_shape(array)}"
                raise DataError(msg)
            return _IdList(path, pa.array(np.array(array)), place="row", typed=True)
        case ".txt":
            with RawText(path, data.encoding).open() as text:
                lines = text.read().decode().removesuffix("\n").split("\n")
            return _IdList(path, pa.array(lines, pa.string()), place="line", typed=False)
    source = open_source(path, data, None)
    if len(source.header) != 1:
        msg = f"{path}: must have one column, the ids ({key}); {columns_of(source)}"
        raise DataError(msg)
    return source


def _open_vectors(path: Path, key: str) -> NDArray[Any]:
    array = _load(path, key)
    if array.ndim != 2 or array.dtype.kind != "f" or 0 in array.shape:
        msg = (
            f"{path}: must be a matrix of floats, a row for each vector ({key}), got "
            f"{_shape(array)}"
        )
        raise DataError(msg)
    return array


def _load(path: Path, key: str) -> NDArray[Any]:
    """An array on disk."""
    try:
        with path.open("rb") as file:
            begins = file.read(len(MAGIC))
        if begins != MAGIC:
            msg = f"{path}: is no array as numpy.save writes it, a .npy file ({key})"
            raise DataError(msg)
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        msg = f"{path}: cannot read the file: {error.strerror} ({key})"
        raise DataError(msg) from None
    except UNREADABLE as error:
        reason = one_line(error)
        msg = f"{path}: damaged, or no array of numbers: {reason} ({key})"
        raise DataError(msg) from None
    return array


def _shape(array: NDArray[Any]) -> str:
    return f"the shape {array.shape} of type {array.dtype}"


def _first_rows(ids: Ids) -> Int64Array:
    """Rows of the first of equal ids, without those that are blank or of another type."""
    rows = np.flatnonzero(ids.present)
    repeated: BoolArray = ids.column.take(pa.array(rows)).to_pandas().duplicated().to_numpy()
    return rows[~repeated]


def _gather(vectors: NDArray[Any], positions: Int64Array) -> Float32Array:
    """[len(positions), width] vectors at these positions; zeros for -1."""
    rows = np.zeros((len(positions), vectors.shape[1]), dtype=np.float32)
    for start in range(0, len(positions), BLOCK_ROWS):
        block = positions[start : start + BLOCK_ROWS]
        with np.errstate(over="ignore"):  # infinite, which is an error of its own
            rows[start : start + BLOCK_ROWS][block >= 0] = vectors[block[block >= 0]]
    return rows


def _first_bad(rows: Float32Array, finite: BoolArray, positions: Int64Array) -> str:
    row = positions[np.argmin(finite)] + 1
    return f"row {row:,}: {first_bad_element(rows, finite)}"
