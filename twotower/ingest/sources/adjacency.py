"""Adjacency lists: a line a user, its id and then item ids, without header."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from twotower.common.arrays import Int64Array


class AdjacencySource:
    """A file of adjacency lists, as a table of pairs with the columns `user` and `item`."""

    typed = False
    place = "line"
    header: tuple[str, ...] = ("user", "item")

    def __init__(self, path: Path, data: bytes, separator: str | None) -> None:
        """Split the lines.

        Args:
            path: for messages.
            data: UTF-8 without byte-order mark.
            separator: between ids; None: any white space.
        """
        self.path = path
        lines = pc.split_pattern(pa.array([data], pa.large_string()), "\n").flatten()
        lines = pc.utf8_trim_whitespace(lines)
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

    def load(self, columns: Sequence[str]) -> tuple[pa.Table, int]:
        """See Source.load; no line is too long or too short."""
        return pa.table({name: self._columns[name] for name in columns}), 0

    def places(self, rows: Int64Array) -> list[int]:
        """See Source.places."""
        return [int(line) for line in self._lines[rows]]

    def ragged(self, limit: int) -> list[tuple[int, int]]:  # noqa: ARG002 - part of the protocol
        """See Source.ragged; there are none."""
        return []


def _split(lines: pa.Array, separator: str | None) -> pa.Array:
    if separator is None or separator.isspace():
        return pc.utf8_split_whitespace(lines)
    return pc.split_pattern(lines, separator)
