"""Rules that every row must follow, and the policy for rows that do not."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice

import numpy as np

from twotower.common.arrays import BoolArray, Int64Array
from twotower.common.errors import DataError
from twotower.config.data import DataConfig
from twotower.ingest.sources.source import Source

SHOWN = 3
"""Number of invalid rows that a message shows."""
SHOWN_CHARACTERS = 40
ADVICE = "fix the file or set data.on_invalid: drop"


class RowCheck:
    """Which of the loaded rows of a source are valid.

    Attributes:
        num_read: rows in the source.
        valid: [num_rows] whether a loaded row has followed all rules so far.
        dropped: rows dropped per rule; each counts under the first rule that it breaks.
        blanked: cells made missing per rule.
    """

    def __init__(self, source: Source, num_rows: int, config: DataConfig) -> None:
        """Start with every row valid.

        Args:
            source: of the rows, after a whole pass.
            num_rows: rows that the pass had.
            config: gives the policy, `on_invalid`.

        Raises:
            DataError: if there are no rows, or ragged ones and the policy is "error".
        """
        self.num_read = num_rows + source.num_ragged
        self.valid: BoolArray = np.ones(num_rows, dtype=bool)
        self.dropped: Counter[str] = Counter()
        self.blanked: Counter[str] = Counter()
        self._source = source
        self._drop = config.on_invalid == "drop"
        if not self.num_read:
            msg = f"{source.name}: the file has no data rows"
            raise DataError(msg)
        if source.num_ragged:
            self._drop_ragged(source.num_ragged)

    def require(self, ok: BoolArray, *, rule: str, column: str, expected: str) -> None:
        """Apply one rule to the rows that are still valid.

        Args:
            ok: [num_rows] whether a row follows the rule.
            rule: short name, under which dropped rows are counted.
            column: name in the source.
            expected: the rule as a phrase that continues "column x": "must not be blank".

        Raises:
            DataError: if a row breaks the rule and the policy is "error".
        """
        if count := self._count_invalid(ok, column, expected):
            self.dropped[rule] += count
            self.valid &= ok

    def require_cells(self, ok: BoolArray, *, rule: str, column: str, expected: str) -> None:
        """As `require`, for an optional value: the policy "drop" drops the cell, not the row.

        The caller makes the cell a missing value where `ok` is false.
        """
        self.blanked[rule] += self._count_invalid(ok, column, expected)

    def require_rows(self) -> None:
        """Require that a valid row is left.

        Raises:
            DataError: if every row was dropped.
        """
        if not self.valid.any():
            msg = f"{self._source.name}: no valid rows left; dropped: {describe(self.dropped)}"
            raise DataError(msg)

    def _drop_ragged(self, count: int) -> None:
        if not self._drop:
            shown = [
                f"{place} ({fields} fields)"
                for place, fields in islice(self._source.ragged(), SHOWN)
            ]
            rule = f"every row must have {self._source.num_fields} fields, like the first"
            raise self._error(rule, count, shown)
        self.dropped["wrong_number_of_fields"] += count

    def _count_invalid(self, ok: BoolArray, column: str, expected: str) -> int:
        """Number of valid rows that break a rule.

        Raises:
            DataError: if there are any and the policy is "error".
        """
        rows = np.flatnonzero(self.valid & ~ok)
        if len(rows) and not self._drop:
            shown = self._show(column, rows[:SHOWN])
            raise self._error(f"column {column!r} {expected}", len(rows), shown)
        return len(rows)

    def _show(self, column: str, rows: Int64Array) -> list[str]:
        """Place and value of each of `rows`."""
        cells = self._source.cells(column, rows)
        places = self._source.places(rows)
        return [f"{place} ({_shorten(cell)})" for place, cell in zip(places, cells, strict=True)]

    def _error(self, rule: str, count: int, shown: Sequence[str]) -> DataError:
        rows = "1 invalid row" if count == 1 else f"{count:,} invalid rows"
        rest = ", …" if count > len(shown) else ""
        return DataError(f"{self._source.name}: {rule}; {rows}: {', '.join(shown)}{rest}; {ADVICE}")


def describe(dropped: Mapping[str, int]) -> str:
    """The counts of a `RowCheck` in words: "2 blank_user, 1 bad_timestamp"."""
    return ", ".join(f"{count} {rule}" for rule, count in sorted(dropped.items())) or "none"


def _shorten(cell: object) -> str:
    text = "null" if cell is None else repr(cell)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
