"""Invented exports: files of a table of events, what they mean, and the keys that settle it."""

import gzip
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.ingest.export_columns import (
    ID_KINDS,
    NAMES,
    TIME_KINDS,
    UNKNOWN,
    WEIGHT_KINDS,
    Column,
    Id,
    Keys,
    events,
    ids,
    times,
    weights,
)

ROLES = ("user", "item", "timestamp", "event", "weight")
EXTRAS = ("", "plain", "a, b; c|d", 'say "no"', "two\nlines", " ~ ", "12,5", "2025-01-01")
DAMAGE = ("ragged", "blank id", "text id", "time", "number", "header", "byte", "quote")


@dataclass
class Export:
    """Files and what they mean.

    Attributes:
        files: bytes by path.
        keys: of the section `data`, by their path in it, as an honest user sets them.
        rows: (user, item, seconds, weight) of each event.
        said: what the summary says if a key is missing and the file is read in another way.
        always: what the summary says even with all keys.
        damage: what was done to a row, or "".
        place: of that row.
    """

    files: dict[str, bytes]
    keys: Keys
    rows: list[tuple[Id, Id, int, float]]
    said: dict[str, str]
    always: list[str]
    damage: str = ""
    place: str = ""
    damaged_row: int = -1


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
    damaged: dict[int, str] = field(default_factory=dict)

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


def make(seed: int) -> Export:
    """The export of a seed."""
    rng = Random(seed)  # noqa: S311 - no secret
    num_rows = rng.randint(20, 36)
    made = _columns(rng, num_rows)
    form = rng.choices(("text", "jsonl", "parquet"), (7, 2, 2))[0]
    rows = [
        (user, item, second, event * weight)
        for user, item, second, event, weight in zip(
            *(made[role].true if role in made else [_absent(role)] * num_rows for role in ROLES),
            strict=True,
        )
    ]
    keys = {key: value for column in made.values() for key, value in column.keys.items()}
    said = {key: c.said for c in made.values() for key in c.keys if c.said}
    always = [] if "timestamp" in made else ["no timestamps"]
    export = Export({}, keys, rows, said, always)
    if form == "parquet":
        _parquet(rng, export, made)
    elif form == "jsonl":
        _json_lines(rng, export, made)
    else:
        _text(rng, export, made)
    return export


def _absent(role: str) -> float:
    return 0 if role == "timestamp" else 1


def _columns(rng: Random, num_rows: int) -> dict[str, Column]:
    made = {side: ids(rng, rng.choice(list(ID_KINDS)), num_rows) for side in ("user", "item")}
    if rng.random() < 0.6:
        made["weight"] = weights(rng, rng.choice(list(WEIGHT_KINDS)), num_rows)
    if rng.random() < 0.4:
        made["event"] = events(rng, num_rows)
    if rng.random() < 0.9:
        decimal = made["weight"].keys.get("decimal") if "weight" in made else None
        mark = decimal or rng.choice(".,")
        kind = rng.choice(list(TIME_KINDS))
        made["timestamp"] = times(rng, kind, num_rows, mark)
        if mark == "," and kind in ("s.1", "excel"):
            made["timestamp"].keys["decimal"] = ","
            if "weight" in made and decimal is None:
                made["weight"] = weights(rng, "whole", num_rows)
    return made


def _names(rng: Random, export: Export, roles: Sequence[str]) -> dict[str, str]:
    """A name for the column of each role, recognised or given."""
    names = {role: rng.choice(NAMES[role]) for role in roles}
    for role in roles:
        if rng.random() < 0.15:
            names[role] = UNKNOWN[role]
            export.keys[f"interactions.columns.{role}"] = UNKNOWN[role]
            export.said[f"interactions.columns.{role}"] = UNKNOWN[role]
    return names


def _table(rng: Random, export: Export, made: dict[str, Column]) -> Table:
    """Columns in any order, some of them without a role."""
    names = _names(rng, export, list(made))
    columns = [(names[role], column.written) for role, column in made.items()]
    columns += [
        (name, [rng.choice(EXTRAS) for _ in export.rows])
        for name in rng.sample(("note", "Unnamed: 0", "2019", ""), rng.randint(0, 2))
    ]
    rng.shuffle(columns)
    header = [name for name, _ in columns]
    return Table(header, [list(row) for row in zip(*(cells for _, cells in columns), strict=True)])


def _text(rng: Random, export: Export, made: dict[str, Column]) -> None:
    table = _table(rng, export, made)
    dialect, extension = _dialect(rng, export, table)
    if rng.random() < 0.3:
        _damage(rng, export, made, table, dialect)
    elif extension in (".csv", ".tsv") and rng.random() < 0.3:
        _items(rng, export, made, dialect, extension)
    _store(rng, export, table, dialect, extension)


def _items(
    rng: Random, export: Export, made: dict[str, Column], dialect: Dialect, extension: str
) -> None:
    """A table of the items, whose ids are written in forms of their own."""
    forms = dict(zip(made["item"].true, made["item"].written, strict=True))
    price = [f"{rng.randint(1, 99)}" for _ in forms]
    cells = [[form, cost, "any"] for form, cost in zip(forms.values(), price, strict=True)]
    table = Table([rng.choice(("id", "item_id", "Producto ID")), "price", "title"], cells)
    if dialect.header:
        export.keys["items.features"] = {"price": "numeric"}
    else:
        export.keys["items.id"] = 1
    export.files["items" + extension] = dialect.encode(dialect.text(table)[0])


def _dialect(rng: Random, export: Export, table: Table) -> tuple[Dialect, str]:
    separator, extension = rng.choice(
        [(",", ".csv"), (",", ".csv"), (";", ".csv"), ("\t", ".tsv"), ("\t", ".csv"), ("|", ".csv"),
         (";", ".txt"), ("::", ".dat"), ("~|~", ".csv"), (" ", ".csv"), (",", ".data")]
    )  # fmt: skip
    dialect = Dialect(
        separator,
        line_end=rng.choice(["\n", "\n", "\r\n", "\r"]),
        quoting=rng.choice(["minimal", "all", "some"]),
        header=rng.random() < 0.8,
        blank_lines=rng.random() < 0.2,
        final_line_end=rng.random() < 0.8,
        sep_line=separator in ",;|" and rng.random() < 0.1,
        compress=rng.random() < 0.2,
    )
    usual = {".csv": separator if dialect.sep_line else ",", ".tsv": "\t"}.get(extension)
    if separator != usual or rng.random() < 0.1:
        export.keys["separator"] = separator
    encodings = ["utf-8"] * 3 + ["utf-8-sig", "latin-1", "cp1252", "utf-16-le", "utf-16-le+",
                                 "utf-16-be+"]  # fmt: skip
    encoding = rng.choice(encodings)
    whole = "".join(table.header) + "".join(cell for row in table.cells for cell in row)
    try:
        whole.encode(encoding.rstrip("+"))
    except UnicodeEncodeError:
        encoding = "utf-8"
    dialect.encoding = encoding
    if encoding in ("latin-1", "cp1252", "utf-16-le"):
        export.keys["encoding"] = encoding
    if not dialect.header:
        export.keys["header"] = False
        _by_position(export, table)
    return dialect, extension


def _by_position(export: Export, table: Table) -> None:
    for role in ROLES:
        export.keys.pop(f"interactions.columns.{role}", None)
    for position, name in enumerate(table.header, start=1):
        for role in ROLES:
            if name in (*NAMES[role], UNKNOWN[role]):
                export.keys[f"interactions.columns.{role}"] = position
                export.said[f"interactions.columns.{role}"] = str(position)


def _store(rng: Random, export: Export, table: Table, dialect: Dialect, extension: str) -> None:
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


def _damage(
    rng: Random, export: Export, made: dict[str, Column], table: Table, dialect: Dialect
) -> None:
    """Spoil one row in the middle, if this can be done to the table."""
    kind = rng.choice(DAMAGE)
    row = export.damaged_row = rng.randint(5, len(table.cells) - 3)
    cells = table.cells[row]

    def put(role: str, text: str) -> None:
        cells[made[role].written and _position(table, role)] = text

    match kind:
        case "ragged":
            cells.append("") if rng.random() < 0.5 else cells.pop()
        case "blank id":
            put(rng.choice(("user", "item")), rng.choice(("", " ")))
        case "text id" if _integers_only(made["user"]):
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


def _integers_only(column: Column) -> bool:
    return all(isinstance(one, int) for one in column.true)


def _json_lines(rng: Random, export: Export, made: dict[str, Column]) -> None:
    names = _names(rng, export, list(made))
    lines = []
    for row in range(len(export.rows)):
        pairs = [
            (names[role], _json_value(rng, column.written[row], "decimal" in column.keys))
            for role, column in made.items()
        ]
        pairs += [("more", '{"deep": [1, null]}'), ("tags", '["a"]')][: rng.randint(0, 2)]
        rng.shuffle(pairs)
        lines.append("{" + ", ".join(f"{json.dumps(key)}: {value}" for key, value in pairs) + "}")
    dialect = Dialect(
        header=False,  # the keys are in each row
        line_end=rng.choice(["\n", "\r\n"]),
        final_line_end=rng.random() < 0.8,
        blank_lines=rng.random() < 0.2,
        compress=rng.random() < 0.2,
        encoding=rng.choice(["utf-8", "utf-8-sig", "utf-16-le+"]),
    )
    table = Table([], [["\ue001" + line] for line in lines])
    _store(rng, export, table, dialect, rng.choice((".jsonl", ".ndjson")))


def _json_value(rng: Random, text: str, is_text: bool) -> str:
    """A number as such or as text, all else as text."""
    try:
        is_number = json.loads(text) == float(text)
    except ValueError:
        is_number = False
    if is_number and not is_text and rng.random() < 0.8:
        return text
    return json.dumps(text, ensure_ascii=rng.random() < 0.5)


def _parquet(rng: Random, export: Export, made: dict[str, Column]) -> None:
    names = _names(rng, export, list(made))
    columns = {}
    for role, column in made.items():
        columns[names[role]] = _typed(rng, column, role)
    if rng.random() < 0.3:
        columns["more"] = pa.array([{"user_id": 1}] * len(export.rows))
    table = pa.table(columns)
    text_ids = [role for role in ("user", "item")
                if not pa.types.is_integer(_plain(table[names[role]].type))
                and not pa.types.is_floating(table[names[role]].type)
                and not pa.types.is_decimal(table[names[role]].type)]  # fmt: skip
    export.rows = [
        (*(str(made[role].written[n]).strip() if role in text_ids and isinstance(one, int) else one
           for role, one in zip(("user", "item"), row, strict=False)), *row[2:])
        for n, row in enumerate(export.rows)
    ]  # fmt: skip
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, row_group_size=rng.choice((7, 100)))
    name = rng.choice(("interactions", "day 1")) + ".parquet"
    if name.startswith("day"):
        export.keys["interactions.file"] = name
    export.files[name] = sink.getvalue().to_pybytes()


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


def _typed(rng: Random, column: Column, role: str) -> pa.Array:
    """The column with a type that holds all of its values."""
    text = pa.array(column.written, pa.string())
    choices = [text, text.cast(pa.large_string()), text.cast(pa.string_view()),
               text.dictionary_encode(), text.cast(pa.binary())]  # fmt: skip
    if role in ("user", "item") and _integers_only(column):
        numbers = pa.array(column.true, pa.int64())
        choices = [numbers, numbers.cast(pa.decimal128(19)), numbers.dictionary_encode(), text]
        if max(map(abs, column.true)) < 2**24:
            choices += [numbers.cast(kind) for kind in (pa.int32(), pa.float32(), pa.float64())]
    if role == "weight" and not column.keys:
        numbers = pa.array(column.true)
        choices = [numbers, numbers.cast(pa.decimal128(12, 2), safe=False), text]
    if role == "timestamp" and not column.keys:
        stamps = pa.array(column.true, pa.int64())
        zones = (None, "UTC", "America/Bogota")
        moments = stamps.cast(pa.timestamp("s"))
        choices += [
            moments.cast(pa.timestamp(unit, zone))
            for unit in ("s", "ms", "us", "ns")
            for zone in zones
        ]
        choices += [stamps, stamps.cast(pa.float64()), moments.dictionary_encode()]
    return rng.choice(choices)
