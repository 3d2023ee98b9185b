"""Rules that every row must follow, and the policy for rows that do not."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice

import numpy as np

from twotower.common.arrays import BoolArray, Int64Array
from twotower.common.errors import DataError
from twotower.config.data import DataConfig
from twotower.ingest.problems import Problems
from twotower.ingest.sources.source import Source

SHOWN = 3
"""Number of invalid rows that a message shows."""
SHOWN_CHARACTERS = 40


class RowCheck:
    """Which of the loaded rows of a source are valid.

    With the policy "drop", a row is left out under the first rule that it breaks. With "error",
    it is judged by all of them, but for those of a column in which it has broken one already.

    Attributes:
        num_read: rows in the source.
        valid: [num_rows] whether a loaded row is used.
        dropped: rows dropped per rule; each counts under the first rule that it breaks.
        blanked: cells made missing per rule.
    """

    def __init__(
        self, source: Source, num_rows: int, config: DataConfig, problems: Problems
    ) -> None:
        """Start with every row valid.

        Args:
            source: of the rows, after a whole pass.
            num_rows: rows that the pass had.
            config: gives the policy, `on_invalid`.
            problems: collects the rules that are broken if the policy is "error".

        Raises:
            DataError: if there are no rows.
        """
        self.num_read = num_rows + source.num_ragged
        self.valid: BoolArray = np.ones(num_rows, dtype=bool)
        self.dropped: Counter[str] = Counter()
        self.blanked: Counter[str] = Counter()
        self._source = source
        self._drop = config.on_invalid == "drop"
        self._problems = problems
        self._broken: dict[str, BoolArray] = {}
        if not self.num_read:
            msg = f"{source.name}: the file has no data rows"
            raise DataError(msg)
        if source.num_ragged:
            self._drop_ragged(source.num_ragged)

    @property
    def is_whole(self) -> bool:
        """Whether no row is missing but those that the policy drops."""
        return self._drop or not self._source.num_ragged

    def require(
        self,
        ok: BoolArray,
        *,
        rule: str,
        column: str,
        expected: str,
        empty: BoolArray | None = None,
    ) -> None:
        """Apply one rule to the rows.

        Args:
            ok: [num_rows] whether a row follows the rule.
            rule: short name, under which dropped rows are counted.
            column: name in the source.
            expected: the rule as a phrase that continues "column x": "must not be blank".
            empty: [num_rows] whether a row that breaks it holds nothing, so that no other rule is
                applied to it; None: no row.
        """
        if count := self._count_invalid(ok, column, expected):
            self.dropped[rule] += count
            self.valid &= ok
        if empty is not None:
            self.valid &= ok | ~empty

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
        if self._drop:
            self.dropped["wrong_number_of_fields"] += count
            return
        shown = [
            f"{place} ({fields} fields)" for place, fields in islice(self._source.ragged(), SHOWN)
        ]
        rule = f"every row must have {self._source.num_fields} fields, like the first"
        self._report(rule, count, shown)

    def _count_invalid(self, ok: BoolArray, column: str, expected: str) -> int:
        """Number of rows to be dropped; with the policy "error", report them instead."""
        bad = self.valid & ~ok
        if self._drop:
            return int(np.count_nonzero(bad))
        if column in self._broken:
            bad &= ~self._broken[column]
        rows = np.flatnonzero(bad)
        if len(rows):
            self._broken[column] = bad | self._broken.get(column, False)
            shown = self._show(column, rows[:SHOWN])
            self._report(f"column {column!r} {expected}", len(rows), shown)
        return 0

    def _show(self, column: str, rows: Int64Array) -> list[str]:
        """Place and value of each of `rows`."""
        cells = self._source.cells(column, rows)
        places = self._source.places(rows)
        return [f"{place} ({_shorten(cell)})" for place, cell in zip(places, cells, strict=True)]

    def _report(self, rule: str, count: int, shown: Sequence[str]) -> None:
        rows = "1 invalid row" if count == 1 else f"{count:,} invalid rows"
        rest = ", …" if count > len(shown) else ""
        name = self._source.name
        self._problems.add_rows(f"{name}: {rule}; {rows}: {', '.join(shown)}{rest}")


def describe(dropped: Mapping[str, int]) -> str:
    """The counts of a `RowCheck` in words: "2 blank_user, 1 bad_timestamp"."""
    return ", ".join(f"{count} {rule}" for rule, count in sorted(dropped.items())) or "none"


def _shorten(cell: object) -> str:
    text = "null" if cell is None else repr(cell)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
