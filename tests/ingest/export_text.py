"""Text of invented exports: how it is written, stored in parts, and damaged."""

import gzip
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

from tests.ingest.export_columns import NAMES, UNKNOWN, Column, Export, integers_only

DAMAGE = ("ragged", "blank id", "text id", "time", "number", "header", "byte", "quote")


@dataclass
class Table:
    """Names and cells of a file, before they are written."""

    header: list[str]
    cells: list[list[Any]]


@dataclass
class Dialect:
    """How text is written."""

    separator: str = ","
    encoding: str = "utf-8"
    line_end: str = "\n"
    quoting: str = "minimal"
    header: bool = True
    blank_lines: bool = False
    final_line_end: bool = True
    sep_line: bool = False
    compress: bool = False

    def text(self, table: Table) -> tuple[str, list[int]]:
        """The table, and the line of each row."""
        lines: list[int] = []
        text = f"sep={self.separator}\n" if self.sep_line else ""
        if self.header:
            text += self._line(table.header)
        for number, row in enumerate(table.cells):
            if self.blank_lines and number % 7 == 3:
                text += "\n"
            lines.append(text.count("\n") + 1)
            text += self._line(row)
        return text if self.final_line_end else text.removesuffix("\n"), lines

    def encode(self, text: str) -> bytes:
        """The bytes of a file; U+E000 stands for a byte that is no text."""
        mark = {"utf-16-le+": "\ufeff", "utf-16-be+": "\ufeff"}.get(self.encoding, "")
        data = (mark + text.replace("\n", self.line_end)).encode(self.encoding.rstrip("+"))
        data = data.replace("\ue000".encode(), b"\xff")
        return gzip.compress(data, mtime=0) if self.compress else data

    def _line(self, row: Sequence[str]) -> str:
        return self.separator.join(map(self._cell, row)) + "\n"

    def _cell(self, text: str) -> str:
        if text.startswith("\ue001"):  # written as it is
            return text[1:]
        special = self.separator in text or '"' in text or "\n" in text
        if special or self.quoting == "all" or (self.quoting == "some" and len(text) % 2):
            return '"' + text.replace('"', '""') + '"'
        return text


def store(rng: Random, export: Export, table: Table, dialect: Dialect, extension: str) -> None:
    """One file, or parts of it, under a name that is recognised or given."""
    ending = extension + (".gz" if dialect.compress else "")
    num_parts = rng.choice((1, 1, 1, 2, 3))
    bounds = np.linspace(0, len(table.cells), num_parts + 1).astype(int).tolist()
    if num_parts == 1:
        name = rng.choice(("interactions", "Interacciones", "export 2025"))
        if name == "export 2025" or extension not in (".csv", ".tsv", ".jsonl"):
            export.keys["interactions.file"] = name + ending
        names = [name + ending]
    else:
        export.keys["interactions.file"] = rng.choice(("parts", f"parts/part-*{ending}"))
        names = [f"parts/part-{number}{ending}" for number in range(num_parts)]
        export.files["parts/_SUCCESS"] = b""
        if dialect.header and rng.random() < 0.3:
            empty = f"parts/part-9{ending}"
            export.files[empty] = dialect.encode(dialect.text(Table(table.header, []))[0])
    for name, start, stop in zip(names, bounds, bounds[1:], strict=False):
        text, lines = dialect.text(Table(table.header, table.cells[start:stop]))
        export.files[name] = dialect.encode(text)
        if start <= export.damaged_row < stop:
            prefix = f"{name.removeprefix('parts/')}: " if num_parts > 1 else ""
            export.place = f"{prefix}line {lines[export.damaged_row - start]}"


def damage(
    rng: Random, export: Export, made: dict[str, Column], table: Table, dialect: Dialect
) -> None:
    """Spoil one row in the middle, if this can be done to the table."""
    kind = rng.choice(DAMAGE)
    row = export.damaged_row = rng.randint(5, len(table.cells) - 3)
    cells = table.cells[row]

    def put(role: str, text: str) -> None:
        cells[_position(table, role)] = text

    match kind:
        case "ragged":
            cells.append("") if rng.random() < 0.5 else cells.pop()
        case "blank id":
            put(rng.choice(("user", "item")), rng.choice(("", " ")))
        case "text id" if integers_only(made["user"]):
            put("user", "x12")
        case "time" if "timestamp" in made:
            number = made["timestamp"].written[0].replace(",", "").replace(".", "").isdigit()
            put("timestamp", "2024-01-31" if number else "1704067200")
        case "number" if "weight" in made:
            put("weight", "1.5" if made["weight"].keys.get("decimal") == "," else "1,5")
        case "header" if dialect.header:
            table.cells[row] = list(table.header)
        case "byte" if dialect.encoding == "utf-8":
            put("item", "\ue000")
        case "quote":
            put("user", '\ue001"1"2')
        case _:
            export.damaged_row = -1
            return
    export.damage = kind


def _position(table: Table, role: str) -> int:
    known = (*NAMES[role], UNKNOWN[role])
    return next(n for n, name in enumerate(table.header) if name in known)
