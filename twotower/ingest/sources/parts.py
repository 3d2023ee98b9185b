"""Part files, as Spark and daily exports write them: many files that are one table."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pyarrow as pa

from twotower.common.arrays import Int64Array
from twotower.common.errors import DataError
from twotower.ingest.sources.source import FIRST_ROWS, Source


def partition_columns(folders: Sequence[str]) -> dict[str, str | None]:
    """Columns that the folders of a part stand for, as Spark names them: event=view."""
    pairs = (folder.split("=", 1) for folder in folders if "=" in folder)
    null = "__HIVE_DEFAULT_PARTITION__"
    return {unquote(name): None if value == null else unquote(value) for name, value in pairs}


class Partition(Source):
    """A part with columns that have one value in all of its rows."""

    def __init__(self, part: Source, values: Mapping[str, str | None]) -> None:
        """Add the columns that the part lacks."""
        self._part = part
        self._values = {name: value for name, value in values.items() if name not in part.header}
        super().__init__(part.name, (*part.header, *self._values))
        self.num_fields = part.num_fields
        self.typed, self.has_header = part.typed, part.has_header
        self.values_in_header = part.values_in_header
        self.like_the_first_row = part.like_the_first_row
        self.optional_columns = part.optional_columns

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """See Source.batches; the added columns are text, or null."""
        own = [name for name in columns if name not in self._values] or self._part.header[:1]
        for batch in self._part.batches(own):
            added = {
                name: pa.repeat(pa.scalar(self._values[name]), len(batch))
                for name in columns
                if name in self._values
            }
            cells = dict(zip(own, batch.columns, strict=True)) | added
            yield pa.record_batch({name: cells[name] for name in columns})
        self.num_ragged = self._part.num_ragged

    def places(self, rows: Int64Array) -> list[str]:
        """See Source.places."""
        return self._part.places(rows)

    def ragged(self) -> Iterator[tuple[str, int]]:
        """See Source.ragged."""
        return self._part.ragged()


class Parts(Source):
    """Several sources with the same columns, one after the other."""

    def __init__(self, name: str, parts: Sequence[Source]) -> None:
        """Check that the parts fit together.

        Args:
            name: for messages: the folder or the pattern.
            parts: at least one; their columns may be in another order.

        Raises:
            DataError: naming a part that has other columns or another kind of format.
        """
        first = parts[0]
        if all(part.optional_columns for part in parts):
            every: dict[str, str | None] = {name: None for part in parts for name in part.header}
            parts = [Partition(part, every) for part in parts]
            first = parts[0]
        for part in parts[1:]:
            if set(part.header) != set(first.header):
                differ = ", ".join(map(repr, sorted(set(part.header) ^ set(first.header))))
                msg = f"{part.name}: has other columns than {first.name}: {differ}"
                if not first.typed:
                    msg += f"{FIRST_ROWS}; or check data.separator"
                raise DataError(msg)
            if part.typed != first.typed:
                msg = f"{part.name}: is of another format than {first.name}"
                raise DataError(msg)
        super().__init__(name, first.header)
        self.num_fields = first.num_fields
        self.values_in_header = first.values_in_header
        self.like_the_first_row = first.like_the_first_row
        self.typed, self.has_header = first.typed, first.has_header
        self._parts = parts
        folder = os.path.commonpath([Path(part.name).parent for part in parts])
        self._names = [Path(part.name).relative_to(folder).as_posix() for part in parts]
        self._starts = np.zeros(len(parts) + 1, dtype=np.int64)

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """See Source.batches; columns have the types of each part."""
        for number, part in enumerate(self._parts):
            length = 0
            for batch in part.batches(columns):
                yield batch
                length += len(batch)
            self._starts[number + 1] = self._starts[number] + length
        self.num_ragged = sum(part.num_ragged for part in self._parts)

    def places(self, rows: Int64Array) -> list[str]:
        """See Source.places; after a whole pass."""
        places: list[str] = []
        bounds = zip(self._starts, self._starts[1:], strict=False)
        for name, part, (start, stop) in zip(self._names, self._parts, bounds, strict=True):
            inside = rows[(rows >= start) & (rows < stop)]
            places += [f"{name}: {place}" for place in part.places(inside - start)]
        return places

    def ragged(self) -> Iterator[tuple[str, int]]:
        """See Source.ragged."""
        for name, part in zip(self._names, self._parts, strict=True):
            yield from ((f"{name}: {place}", fields) for place, fields in part.ragged())
