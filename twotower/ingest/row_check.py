"""Rules that every row must follow, and the policy for rows that do not."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from twotower.common.arrays import BoolArray, Int64Array
from twotower.common.bounded import shortened
from twotower.common.errors import DataError
from twotower.common.progress import step
from twotower.config.data import DataConfig
from twotower.ingest.problems import Problems
from twotower.ingest.sources.source import Source

SHOWN = 3
"""Number of invalid rows that a message shows."""
SHOWN_CHARACTERS = 40


@dataclass(frozen=True)
class _Broken:
    """A rule that rows break, of which the first are shown."""

    column: str
    expected: str
    count: int
    rows: Int64Array


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
        self._bad: dict[str, BoolArray] = {}
        self._broken: list[_Broken] = []
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
        with self._finding():
            ragged = list(islice(self._source.ragged(), SHOWN))
        shown = [f"{place} ({fields} fields)" for place, fields in ragged]
        rule = f"every row must have {self._source.num_fields} fields, like the first"
        self._report(rule, count, shown)

    def _count_invalid(self, ok: BoolArray, column: str, expected: str) -> int:
        """Number of rows to be dropped; with the policy "error", report them instead."""
        bad = self.valid & ~ok
        if self._drop:
            return int(np.count_nonzero(bad))
        if column in self._bad:
            bad &= ~self._bad[column]
        rows = np.flatnonzero(bad)
        if len(rows):
            self._bad[column] = bad | self._bad.get(column, False)
            self._broken.append(_Broken(column, expected, len(rows), rows[:SHOWN]))
        return 0

    def report(self) -> None:
        """Tell `problems` which rules are broken, and where; called after the last one.

        Places are looked up for all of them at once, as that is a slow pass over a large file.
        """
        if not self._broken:
            return
        with self._finding():
            rows = np.unique(np.concatenate([broken.rows for broken in self._broken]))
            places = dict(zip(rows.tolist(), self._source.places(rows), strict=True))
            for one in self._broken:
                cells = zip(one.rows, self._source.cells(one.column, one.rows), strict=True)
                shown = [f"{places[row]} ({_shorten(cell)})" for row, cell in cells]
                self._report(f"column {one.column!r} {one.expected}", one.count, shown)
        self._broken.clear()

    def _finding(self) -> AbstractContextManager[object]:
        return step(f"{Path(self._source.name).name}: finding invalid rows")

    def _report(self, rule: str, count: int, shown: Sequence[str]) -> None:
        rows = "1 invalid row" if count == 1 else f"{count:,} invalid rows"
        rest = ", …" if count > len(shown) else ""
        name = self._source.name
        self._problems.add_rows(f"{name}: {rule}; {rows}: {', '.join(shown)}{rest}")


def describe(dropped: Mapping[str, int]) -> str:
    """The counts of a `RowCheck` in words: "2 blank_user, 1 bad_timestamp"."""
    return ", ".join(f"{count} {rule}" for rule, count in sorted(dropped.items())) or "none"


def _shorten(cell: object) -> str:
    return shortened("null" if cell is None else repr(cell), SHOWN_CHARACTERS)
