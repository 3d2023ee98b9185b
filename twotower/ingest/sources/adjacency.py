"""Adjacency lists: one line per user, the user's id and then item ids, without a header."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from twotower.common.arrays import Int64Array
from twotower.config.data import DataConfig
from twotower.ingest.sources.raw_text import RawText, blank
from twotower.ingest.sources.source import Source


def open_adjacency(path: Path, config: DataConfig) -> Source:
    """Open adjacency lists with ids between white space, or between `data.separator`."""
    with RawText(path, config.encoding).open() as text:
        return AdjacencySource(str(path), text.read(), config.separator)


class AdjacencySource(Source):
    """Adjacency lists as a table of pairs with the columns `user` and `item`."""

    def __init__(self, name: str, data: bytes, separator: str | None) -> None:
        """Split the lines.

        Args:
            name: for messages.
            data: UTF-8 without byte-order mark.
            separator: between ids; None: any white space.

        Raises:
            DataError: if all lines are blank.
        """
        super().__init__(name, ("user", "item"))
        lines = pc.split_pattern(pa.array([data], pa.large_string()), "\n").flatten()
        lines = pc.utf8_trim_whitespace(lines)
        if not len(lines) or not pc.any(pc.not_equal(lines, "")).as_py():
            raise blank(name)
        filled = np.flatnonzero(pc.not_equal(lines, "").to_numpy(zero_copy_only=False))
        fields = _split(lines.take(pa.array(filled)), separator)
        num_items = pc.list_value_length(fields).to_numpy() - 1
        tokens = fields.flatten()
        is_item = np.ones(len(tokens), dtype=bool)
        starts = np.cumsum(num_items + 1) - (num_items + 1)
        is_item[starts] = False
        users = tokens.take(pa.array(np.repeat(starts, num_items)))
        self._columns = {"user": users, "item": tokens.filter(pa.array(is_item))}
        self._lines = np.repeat(filled + 1, num_items)

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """See Source.batches; a line may have any number of items."""
        yield pa.record_batch({name: self._columns[name] for name in columns})

    def places(self, rows: Int64Array) -> list[str]:
        """See Source.places."""
        return [f"line {line}" for line in self._lines[rows]]


def _split(lines: pa.Array, separator: str | None) -> pa.Array:
    if separator is None or separator.isspace():
        return pc.utf8_split_whitespace(lines)
    return pc.split_pattern(lines, separator)
