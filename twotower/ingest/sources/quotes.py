"""Quotation marks in delimited text that do not enclose a whole field."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np

ENCLOSED = re.compile(r'"(?:[^"]|"")*"[ \t]*|(?![ \t]*").*', re.DOTALL)
"""A field as it should be: enclosed from its first character on, or not at all."""


def has_odd_quote(data: bytes, separator: bytes, before: bytes) -> bool:
    """Whether a quotation mark is neither at the start nor at the end of a field, nor doubled.

    Args:
        data: some of a file.
        separator: of fields, one character.
        before: the character before `data`.
    """
    around = np.frombuffer(before + data + b" ", dtype=np.uint8)
    at_end = np.zeros(256, dtype=bool)
    at_end[list(b'"\n' + separator)] = True
    quotes = np.flatnonzero(around[1:-1] == ord('"')) + 1
    return not (at_end[around[quotes - 1]] | at_end[around[quotes + 1]]).all()


def badly_quoted(
    lines: Iterable[str], separator: str, header: Sequence[str], columns: Sequence[str]
) -> Iterator[tuple[int, str, str]]:
    """(line, column, field as written) of fields that are enclosed in part.

    Args:
        lines: of the file, with line feeds.
        separator: of fields, one character.
        header: all columns.
        columns: those that count.
    """
    end = rf"{re.escape(separator)}\n"
    field = re.compile(rf'("(?:[^"]|"")*"?[^{end}]*|[^{end}]*)(?:[{end}]|$)')
    places = [(header.index(column), column) for column in columns]
    taken: list[str] = []

    def remembered() -> Iterator[str]:
        for line in lines:
            taken.append(line)
            yield line

    reader = csv.reader(remembered(), delimiter=separator)
    start = 1
    for row in reader:
        raw = "".join(taken)
        taken.clear()
        if '"' in raw and len(row) == len(header):
            fields = field.findall(raw)
            for place, column in places:
                if not ENCLOSED.fullmatch(fields[place]):
                    yield start, column, fields[place]
        start = reader.line_num + 1
