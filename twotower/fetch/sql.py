"""Queries whose rows come in one order, so that the same rows are the same bytes."""

import re
from dataclasses import dataclass

TEXTS = re.compile(
    r"--[^\n]*|/\*.*?\*/|\$(\w*)\$.*?\$\1\$|\b[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'"
    r"|\"(?:[^\"]|\"\")*\"|`[^`]*`",
    re.DOTALL,
)
"""Comments, strings and quoted names."""
INNERMOST = re.compile(r"\([^()]*\)")
ORDER = re.compile(r"\border\s+by\b", re.IGNORECASE)


@dataclass(frozen=True)
class Query:
    """SQL of params.yaml.

    Attributes:
        text: one SELECT, without the semicolon at its end.
    """

    text: str

    @classmethod
    def of(cls, text: str) -> "Query":
        """The query of a text as somebody wrote it."""
        text = text.strip()
        code = TEXTS.sub(_blank, text).rstrip()  # as long as it is up to there
        return cls(text[: len(code.rstrip("; \t\r\n"))] if code.endswith(";") else text)

    @property
    def is_ordered(self) -> bool:
        """Whether it says itself how its rows are sorted: not only those of a part of it."""
        outer, count = TEXTS.sub(" ", self.text), 1
        while count:
            outer, count = INNERMOST.subn(" ", outer)
        return ORDER.search(outer) is not None

    @property
    def without_rows(self) -> str:
        """SQL with the same columns and no rows."""
        return f"SELECT * FROM {self._table} WHERE 1 = 0"  # noqa: S608 - SQL is what it is for

    def sorted_by(self, num_columns: int) -> str:
        """SQL for the same rows, sorted by their columns from left to right."""
        places = ", ".join(str(place + 1) for place in range(num_columns))
        return f"SELECT * FROM {self._table} ORDER BY {places}"  # noqa: S608 - as above

    @property
    def _table(self) -> str:
        return f"(\n{self.text}\n) AS fetched"  # it may end in a comment


def _blank(found: re.Match[str]) -> str:
    """Blanks for a comment, anything else for a text, of the same length."""
    return (" " if found[0][0] in "-/" else "x") * len(found[0])
