"""The tables of docs/data.md: what the code says that it reads, and examples, which tests read."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from twotower.config.data import DataConfig, InteractionsConfig
from twotower.config.raw_files import FORMATS, TIME_UNITS
from twotower.data.id_text import IdText
from twotower.ingest.convert import as_numbers
from twotower.ingest.ids import RawIds
from twotower.ingest.sources.raw_text import MAGIC, MARKS
from twotower.ingest.times import TIME_FORMS, Times
from twotower.ingest.usual_names import (
    CODES,
    COLUMNS,
    EVENTS,
    FEATURES,
    FILES,
    NOUNS,
    WIDER_COLUMNS,
    WIDER_FILES,
)

NOTHING = "\u2013"
MOMENT = 1_767_189_900
"""2025-12-31T14:05:00Z."""

PAIRS = {
    "csv": ("user_id,item_id", "7,10", "7,11"),
    "tsv": ("user_id\titem_id", "7\t10", "7\t11"),
    "parquet": (),
    "jsonl": ('{"user_id": 7, "item_id": 10}', '{"user_id": 7, "item_id": 11}'),
    "adjacency": ("7 10 11",),
}
"""By format, the lines of a file in which user 7 has items 10 and 11; Parquet has none."""

SEPARATORS = {
    ",": "nothing, in `.csv`",
    "\t": "nothing, in `.tsv`",
    ";": '`separator: ";"`',
    "|": r'`separator: "\|"`',
    "::": '`separator: "::"`',
    " ": '`separator: " "`',
}
"""By separator, what says so."""

NUMBERS = (
    "112", "112.88", "112,88", "1,234", "1.234", "1,234.5", "1.234,5", "1 234,5", "1'234.5", "1e3",
    "-.5", "12 %",
)  # fmt: skip
IDS = ("7", " 7 ", "7.0", "-7", "007", "+7", "1e5", "7.5", "12345678901234567890", "guest")


@dataclass(frozen=True)
class Misfit:
    """A row that breaks a rule.

    Attributes:
        rule: that it breaks.
        row: of the interactions, unless `file` is the other table.
        settles: what the message names besides `data.on_invalid`.
        file: that has it.
        data: keys of section `data` with which it breaks the rule.
        blanks: whether only its cell is dropped, not the row.
    """

    rule: str
    row: str
    settles: str = ""
    file: str = "interactions.csv"
    data: dict[str, Any] = field(default_factory=dict)
    blanks: bool = False


LOG = (
    "user_id,item_id,timestamp,event,weight,part",
    "1,10,2024-01-01,view,1,train",
    "1,11,2024-01-02,view,1,train",
    "2,12,2024-01-01,view,1,train",
    "2,10,2024-01-03,view,1,validation",
    "1,12,2024-01-03,view,1,test",
)
"""Interactions to which a misfit is added."""
ITEMS = ("item_id,price", "10,1.5", "11,2", "12,4")
INTEGERS = {"users": {"id_type": "integer", "file": False}}
ITEM_INTEGERS = {"items": {"id_type": "integer", "file": False}}
TABLES_OF_INTEGERS = {"items": {"id_type": "integer", "features": {"price": "numeric"}}}
VECTORS = {"items": {"features": {"price": "vector"}}}
VECTOR_FILES = {
    "items": {"features": {"price": {"kind": "vector", "file": "price.npy", "ids": "price.txt"}}}
}
"""Of the three items above."""
BY_POSITION = {
    "header": False,
    "users": {"file": False},
    "items": {"file": False},
    "interactions": {
        "columns": {"user": 1, "item": 2, "timestamp": 3, "event": 4, "weight": 5},
    },
}

MISFITS = (
    Misfit("wrong_number_of_fields", "1,10,2024-01-04,view"),
    Misfit("repeated_header", LOG[0]),
    Misfit("header", LOG[0], "data.header", data=BY_POSITION),
    Misfit("blank_user", " ,10,2024-01-04,view,1,train"),
    Misfit("blank_item", "1,,2024-01-04,view,1,train"),
    Misfit("bad_user", "guest,10,2024-01-04,view,1,train", "data.users.id_type", data=INTEGERS),
    Misfit("bad_item", "1,A7,2024-01-04,view,1,train", "data.items.id_type", data=ITEM_INTEGERS),
    Misfit("unknown_user", "9,10,2024-01-04,view,1,train", "users.csv"),
    Misfit("unknown_item", "1,99,2024-01-04,view,1,train", "items.csv"),
    Misfit("bad_timestamp", "1,10,soon,view,1,train", "data.interactions.time_format"),
    Misfit("unknown_event", "1,10,2024-01-04,share,1,train", "data.event_weights"),
    Misfit("bad_weight", '1,10,2024-01-04,view,"1,5",train', "data.decimal"),
    Misfit("unknown_split", "1,10,2024-01-04,view,1,dev", "split.column"),
    Misfit("blank_id", ",3", file="items.csv"),
    Misfit("bad_id", "A7,3", "data.items.id_type", "items.csv", TABLES_OF_INTEGERS),
    Misfit("duplicate_id", "10,3", file="items.csv"),
    Misfit("bad_number", '13,"1,5"', "data.decimal", "items.csv", blanks=True),
    Misfit("vector_width", "13,1.5|2", "", "items.csv", VECTORS, blanks=True),
    Misfit("bad_vector", "13,x", "separator", "items.csv", VECTORS, blanks=True),
    Misfit("no_vector", "13,", "data.items.features", "items.csv", VECTOR_FILES, blanks=True),
)
"""Every rule of a row, in the order in which they are applied."""


def code(*texts: str) -> str:
    """Texts as code in a cell of a table, which ends at a bar."""
    return "<br>".join(f"`{visible(text)}`" for text in texts).replace("|", "\\|")


def visible(text: str) -> str:
    """A cell of a raw file, with its tabs, and blanks around it."""
    text = text.replace("\t", r"\t")
    return text if text == text.strip() else f"'{text}'"


def words(names: Iterable[str]) -> str:
    return ", ".join(names) or NOTHING


def time_examples(unit: str) -> str:
    """MOMENT, as a number of a unit."""
    row = TIME_UNITS[unit]
    number = round((MOMENT - row.origin) * row.per_second, 6)
    return f"{number:.0f}" if number % 1 == 0 else str(number)


def is_recognised(unit: str) -> bool:
    times = Times(InteractionsConfig())
    times.add(pa.array([time_examples(unit)]), "")
    return bool(times.finish("").seconds[0] == MOMENT)


def number(text: str, decimal: str | None) -> str:
    """What a text is as a number."""
    (value,) = as_numbers(pa.array([text]), "", decimal)
    return NOTHING if np.isnan(value) else f"{value:g}"


def ids(text: str) -> tuple[str, str, str]:
    """What a text is as an id: by itself, as an integer, as text."""
    raw = RawIds(pa.array([text]), np.zeros(1, np.int32), False, "")
    (integer,) = raw.settle(integers=True, text=IdText()).column.to_pylist()
    (as_text,) = raw.settle(integers=False, text=IdText()).column.to_pylist()
    by_itself = "integer" if raw.are_integers else "text"
    return by_itself, NOTHING if integer is None else str(integer), code(as_text)


def extensions(name: str) -> str:
    return ", ".join(code(each) for each in FORMATS[name].extensions) or code(f"format: {name}")


Rows = list[tuple[str, ...]]
ROWS: dict[str, Rows] = {
    "format": [
        (name, extensions(name), row.summary, code(*PAIRS[name]) if PAIRS[name] else NOTHING)
        for name, row in FORMATS.items()
    ],
    "table": [(role, words(names), words(WIDER_FILES[role])) for role, names in FILES.items()],
    "separator": [
        (visible(mark), said, code(f"7{mark}10")) for mark, said in SEPARATORS.items()
    ],
    "first bytes": [
        *(
            (mark.hex(" "), f"{encoding}, whatever `encoding` says")
            for mark, encoding in MARKS.items()
        ),
        *(
            (magic.hex(" "), "gzip, undone" if what == "gzip" else f"refused: {what}")
            for magic, what in MAGIC.items()
        ),
    ],
    "column": [
        (role, words(names), words((*CODES.get(role, ()), *WIDER_COLUMNS[role])))
        for role, names in COLUMNS.items()
    ],
    "whose id": [(role, words(nouns)) for role, nouns in NOUNS.items()],
    "id": [(visible(text), *ids(text)) for text in IDS],
    "times": [(row.name, code(*row.examples)) for row in TIME_FORMS.values()],
    "`time_unit`": [
        (name, row.plural, code(time_examples(name)), "yes" if is_recognised(name) else "no")
        for name, row in TIME_UNITS.items()
    ],
    "number": [(text, *(number(text, mark) for mark in (None, ".", ","))) for text in NUMBERS],
    "event": [
        (names[0], f"{DataConfig().event_weights[names[0]]:g}", words(names[1:]))
        for names in EVENTS
    ],
    "feature": [(names[0], words(names[1:])) for names in FEATURES],
    "rule": [
        (row.rule, row.file, code(row.row), code(row.settles) if row.settles else NOTHING)
        for row in MISFITS
    ],
}  # fmt: skip
"""Rows by the heading of a table's first column."""
