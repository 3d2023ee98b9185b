"""What the rest of the package knows of raw data, wherever it comes from."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from twotower.common.arrays import Int64Array
from twotower.common.bounded import one_line, shown
from twotower.common.errors import DataError

FIRST_ROWS = "; if first rows are data, set data.header: false"
"""For messages about names that may be none."""
SHOWN = 5
"""Number of names that a message shows."""


class Source(ABC):
    """Raw data whose column names are known and whose columns are read on request.

    Attributes:
        name: what messages call it; for a file, its path as the user wrote it.
        header: distinct column names.
        typed: whether the source itself says what is a number and what is text (Parquet does).
        num_fields: of a row.
        values_in_header: column names that look like data, as those of a file without a header do.
        like_the_first_row: of these, names that are written as the value below, digit by digit.
        optional_columns: whether a part may lack a column that another has.
        has_header: whether the names are a row of the data, which may be repeated further down.
        num_ragged: rows that the last pass left out for their number of fields.
    """

    typed = False
    values_in_header: frozenset[str] = frozenset()
    like_the_first_row: frozenset[str] = frozenset()
    optional_columns = False
    has_header = False

    def __init__(self, name: str, header: Sequence[str]) -> None:
        """Check the header.

        Raises:
            DataError: if columns share a name, or lack one.
        """
        self.name = name
        self.header = tuple(header)
        self.num_fields = len(header)
        self.num_ragged = 0
        repeated = sorted(column for column, count in Counter(header).items() if count > 1)
        if "" in repeated:
            blank = self.header.count("")
            msg = f"{name}: {blank} columns have no name in the header; name or delete them, and "
            raise DataError(msg + "delete what stands above the header")
        if repeated:
            names = ", ".join(shown(column) for column in repeated[:SHOWN])
            names += ", …" * (len(repeated) > SHOWN)
            msg = f"{name}: duplicate column names in the header: {names}"
            raise DataError(msg if self.typed else msg + FIRST_ROWS)

    @abstractmethod
    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """One pass over the named columns (distinct), some rows at a time, in order.

        Types may differ: a part file without any value may have integers, and another one floats.

        Raises:
            DataError: if the data is damaged.
        """

    def read(self, columns: Sequence[str]) -> pa.Table:
        """The named columns (distinct), whole.

        Raises:
            DataError: if the data is damaged, or has text here and numbers there.
        """
        return self.join(self.batches(columns), columns)

    def join(self, batches: Iterable[pa.RecordBatch], columns: Sequence[str]) -> pa.Table:
        """A table of some batches of these columns, with types that hold all values.

        Raises:
            DataError: see `read`.
        """
        tables = [pa.Table.from_batches([batch]) for batch in batches]
        if not tables:
            return pa.table({name: pa.array([], pa.string()) for name in columns})
        try:
            return pa.concat_tables(tables, promote_options="permissive")
        except pa.ArrowException as error:
            msg = f"{self.name}: the parts have different types: {one_line(error)}"
            raise DataError(msg) from None

    def cells(self, column: str, rows: Int64Array) -> list[Any]:
        """Values of a column in the rows `rows` (ascending), from another pass."""
        found: list[Any] = []
        start = 0
        for batch in self.batches([column]):
            inside = rows[(rows >= start) & (rows < start + len(batch))]
            cells = batch[column].take(pa.array(inside - start))
            if pa.types.is_timestamp(cells.type):  # Python's own end in the year 9999
                cells = cells.cast(pa.string())
            found += cells.to_pylist()
            start += len(batch)
            if len(found) == len(rows):
                break
        return found

    def places(self, rows: Int64Array) -> list[str]:
        """Where each of the rows `rows` (ascending) is: "line 3", as editors count, or "row 2"."""
        return [f"row {row + 1}" for row in rows.tolist()]

    def place(self, row: int) -> str:
        """Where one row is."""
        return self.places(np.array([row], dtype=np.int64))[0]

    def ragged(self) -> Iterator[tuple[str, int]]:
        """(place, number of fields) of each row that a pass leaves out."""
        return iter(())
