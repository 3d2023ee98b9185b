"""What the rest of the package knows of a raw file, whatever its format."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from twotower.common.arrays import Int64Array
from twotower.common.errors import DataError


class Source(Protocol):
    """A raw file whose column names are known and whose columns are read on request.

    Attributes:
        path: as the user wrote it, relative to the current directory or absolute.
        header: distinct column names.
        typed: whether the file itself says what is a number and what is text (Parquet does).
        place: what a position is called in this file: "line" or "row".
    """

    path: Path
    header: tuple[str, ...]
    typed: bool
    place: str

    def load(self, columns: Sequence[str]) -> tuple[pa.Table, int]:
        """The named columns, and how many rows were left out for their number of fields.

        Raises:
            DataError: if the file is damaged.
        """

    def places(self, rows: Int64Array) -> list[int]:
        """Line (or row) of each of the loaded rows `rows` (ascending), from 1, as editors count."""

    def ragged(self, limit: int) -> list[tuple[int, int]]:
        """(line, number of fields) of the first rows that `load` left out."""


def check_header(path: Path, header: Sequence[str]) -> tuple[str, ...]:
    """The column names, if all are distinct.

    Raises:
        DataError: naming the names that occur twice.
    """
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        names = ", ".join(repr(name) for name in repeated)
        msg = f"{path}: the header names a column more than once: {names}"
        raise DataError(msg)
    return tuple(header)
