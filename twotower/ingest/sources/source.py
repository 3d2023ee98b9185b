"""What the rest of the package knows of raw data, wherever it comes from."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import pyarrow as pa

from twotower.common.arrays import Int64Array
from twotower.common.errors import DataError


class Source(ABC):
    """Raw data whose column names are known and whose columns are read on request.

    Attributes:
        name: what messages call it; for a file, its path as the user wrote it.
        header: distinct column names.
        typed: whether the source itself says what is a number and what is text (Parquet does).
        place: what a position in it is called: "line" or "row".
    """

    typed = False
    place = "row"

    def __init__(self, name: str, header: Sequence[str]) -> None:
        """Check the header.

        Raises:
            DataError: naming the columns that occur more than once.
        """
        self.name = name
        self.header = tuple(header)
        repeated = sorted({column for column in header if header.count(column) > 1})
        if repeated:
            names = ", ".join(repr(column) for column in repeated)
            msg = f"{name}: duplicate column names in the header: {names}"
            raise DataError(msg)

    @abstractmethod
    def load(self, columns: Sequence[str]) -> tuple[pa.Table, int]:
        """The named columns, and how many rows were left out for their number of fields.

        Raises:
            DataError: if the data is damaged.
        """

    def places(self, rows: Int64Array) -> list[int]:
        """Line (or row) of each of the loaded rows `rows` (ascending), from 1, as editors count."""
        return [int(row) + 1 for row in rows]

    def ragged(self) -> Iterator[tuple[int, int]]:
        """(line, number of fields) of each row that `load` left out."""
        return iter(())
