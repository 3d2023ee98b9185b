"""Rules that every row must keep, and the policy for those that break one."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from twotower.common.arrays import BoolArray, Int64Array
from twotower.common.errors import DataError
from twotower.config.data import DataConfig
from twotower.ingest.sources.source import Source

SHOWN = 3
"""Offenders that a message shows."""
SHOWN_CHARACTERS = 40
ADVICE = "mend the file, or set data.on_invalid: drop"


class RowCheck:
    """Which rows of one loaded file are usable.

    Attributes:
        valid: [num_rows] whether a row has kept all rules so far.
        dropped: rows dropped per rule; each counts under the first rule that it breaks.
        blanked: cells made missing per rule.
    """

    def __init__(self, source: Source, num_rows: int, num_ragged: int, config: DataConfig) -> None:
        """Start with every row valid.

        Args:
            source: of the rows, for messages.
            num_rows: rows that were loaded.
            num_ragged: rows that were left out for their number of fields.
            config: gives the policy, `on_invalid`.

        Raises:
            DataError: if the file has no rows, or ragged ones and the policy is "error".
        """
        self.valid: BoolArray = np.ones(num_rows, dtype=bool)
        self.dropped: Counter[str] = Counter()
        self.blanked: Counter[str] = Counter()
        self._source = source
        self._drop = config.on_invalid == "drop"
        if num_rows + num_ragged == 0:
            msg = f"{source.path}: the file holds no rows of data"
            raise DataError(msg)
        if num_ragged:
            self._refuse_ragged(num_ragged)

    def require(
        self, ok: BoolArray, *, rule: str, column: str, expected: str, values: pa.ChunkedArray
    ) -> None:
        """Apply one rule to the rows that are still valid.

        Args:
            ok: [num_rows] whether a row keeps the rule.
            rule: short name, under which dropped rows are counted.
            column: the column's name in the file.
            expected: the rule as a sentence that continues "column x".
            values: [num_rows] what the file holds there.

        Raises:
            DataError: if a row breaks the rule and the policy is "error".
        """
        if count := self._broken(ok, column, expected, values):
            self.dropped[rule] += count
            self.valid &= ok

    def require_cells(
        self, ok: BoolArray, *, rule: str, column: str, expected: str, values: pa.ChunkedArray
    ) -> None:
        """As `require`, of an optional value: the policy "drop" drops the cell and keeps the row.

        The caller makes the cell a missing value where `ok` is false.
        """
        self.blanked[rule] += self._broken(ok, column, expected, values)

    def require_rows(self) -> None:
        """Insist that a row is left.

        Raises:
            DataError: if every row was dropped.
        """
        if not self.valid.any():
            msg = f"{self._source.path}: no row is left; dropped were {describe(self.dropped)}"
            raise DataError(msg)

    def _refuse_ragged(self, count: int) -> None:
        if self._drop:
            self.dropped["wrong_number_of_fields"] += count
            return
        shown = [f"line {line} has {fields}" for line, fields in self._source.ragged(SHOWN)]
        msg = (
            f"{self._source.path}: every row must have {len(self._source.header)} fields as the "
            f"header has; {_rows(count)} not: {_list(shown, count)}; {ADVICE}"
        )
        raise DataError(msg)

    def _broken(self, ok: BoolArray, column: str, expected: str, values: pa.ChunkedArray) -> int:
        """How many valid rows break a rule; an error if that is more than the policy allows."""
        broken = np.flatnonzero(self.valid & ~ok)
        if len(broken) and not self._drop:
            raise DataError(self._message(broken, column, expected, values))
        return len(broken)

    def _message(
        self, broken: Int64Array, column: str, expected: str, values: pa.ChunkedArray
    ) -> str:
        first = broken[:SHOWN]
        places = self._source.places(first)
        cells = values.take(pa.array(first))
        if pa.types.is_timestamp(cells.type):  # Python's own end in the year 9999
            cells = cells.cast(pa.string())
        shown = [
            f"{self._source.place} {place} ({_shorten(cell)})"
            for place, cell in zip(places, cells.to_pylist(), strict=True)
        ]
        return (
            f"{self._source.path}: column {column!r} {expected}; {_rows(len(broken))} not: "
            f"{_list(shown, len(broken))}; {ADVICE}"
        )


def describe(dropped: Mapping[str, int]) -> str:
    """The counts of a `RowCheck` in words."""
    return ", ".join(f"{count} for {rule}" for rule, count in sorted(dropped.items())) or "none"


def _rows(count: int) -> str:
    return "1 row does" if count == 1 else f"{count} rows do"


def _list(shown: list[str], count: int) -> str:
    return ", ".join(shown) + (", …" if count > len(shown) else "")


def _shorten(cell: object) -> str:
    text = "null" if cell is None else repr(cell)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
