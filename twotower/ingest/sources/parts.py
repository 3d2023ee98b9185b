"""Part files, as Spark and daily exports write them: many files that are one table."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from twotower.common.arrays import Int64Array
from twotower.common.errors import DataError
from twotower.ingest.sources.source import Source


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
        for part in parts[1:]:
            if set(part.header) != set(first.header):
                differ = ", ".join(sorted(set(part.header) ^ set(first.header)))
                msg = f"{part.name}: has other columns than {first.name}: {differ}"
                raise DataError(msg)
            if part.typed != first.typed:
                msg = f"{part.name}: is of another format than {first.name}"
                raise DataError(msg)
        super().__init__(name, first.header)
        self.typed, self.has_header = first.typed, first.has_header
        self._parts = parts
        folder = os.path.commonpath([Path(part.name).parent for part in parts])
        self._names = [Path(part.name).relative_to(folder).as_posix() for part in parts]
        self._starts = np.zeros(len(parts) + 1, dtype=np.int64)

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """See Source.batches; columns have the types of the first part."""
        schema: pa.Schema | None = None
        for number, part in enumerate(self._parts):
            length = 0
            for batch in part.batches(columns):
                schema = schema or batch.schema
                yield _as(batch, schema, part.name)
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


def _as(batch: pa.RecordBatch, schema: pa.Schema, name: str) -> pa.RecordBatch:
    """The batch with the types of the schema, e.g. where a part has integers and nulls as floats.

    Raises:
        DataError: if a value has no such form.
    """
    if batch.schema.equals(schema):
        return batch
    try:
        return batch.cast(schema)
    except pa.ArrowException as error:
        msg = f"{name}: the types differ from the first part's: {' '.join(str(error).split())}"
        raise DataError(msg) from None
