"""Recommendations as a person reads them: a table in a console, and one in a notebook."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from twotower.common.bounded import shortened
from twotower.common.printable import printable

WIDEST = 40
"""Characters of a cell in a console."""
RIGHT = {"rank", "score"}
"""Columns of numbers."""


@dataclass(frozen=True)
class Printed:
    """The text of a table whose rows belong to queries.

    Attributes:
        columns: their names; the first `num_shared` say the same in all rows of a query.
        num_shared: see above.
        queries: of each, one row of cells at least.
        rest: a line about queries that are left out; empty without.
    """

    columns: Sequence[str]
    num_shared: int
    queries: Sequence[Sequence[Sequence[str]]]
    rest: str = ""

    def text(self) -> str:
        """Aligned columns, cells that are too long cut short; shared cells only once."""
        rows = [list(self.columns)]
        for query in self.queries:
            for number, cells in enumerate(query):
                blank = self.num_shared if number else 0
                rows.append([""] * blank + [_short(cell) for cell in cells[blank:]])
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(
                cell.rjust(width) if name in RIGHT else cell.ljust(width)
                for cell, width, name in zip(row, widths, self.columns, strict=True)
            ).rstrip()
            for row in rows
        ]
        return "\n".join([*lines, *([self.rest] if self.rest else [])])

    def html(self) -> str:
        """A table with all text escaped; shared cells span the rows of their query."""
        head = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        body = "".join(
            f"<tr>{self._row(cells, len(query) if number == 0 else 0)}</tr>\n"
            for query in self.queries
            for number, cells in enumerate(query)
        )
        rest = f"<p>{escape(self.rest)}</p>" if self.rest else ""
        return (
            f'<table border="1" class="dataframe">\n<thead><tr>{head}</tr></thead>\n'
            f"<tbody>\n{body}</tbody>\n</table>{rest}"
        )

    def _row(self, cells: Sequence[str], span: int) -> str:
        """The cells of a row; the shared ones only where they begin."""
        shared = [
            f'<th rowspan="{span}">{escape(cell)}</th>' for cell in cells[: self.num_shared] if span
        ]
        return "".join(
            [*shared, *(f"<td>{escape(cell)}</td>" for cell in cells[self.num_shared :])]
        )


def _short(cell: str) -> str:
    """One line of WIDEST characters at most, none of which a terminal obeys."""
    return shortened(printable(" ".join(cell.split())), WIDEST)
