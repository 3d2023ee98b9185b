"""Folders of raw data: cells, types, quotes, encodings, archives and vectors gone wrong."""

import csv
import gzip
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import strategies as st

from benchmarks.fuzz.damage import ODD_TEXTS, damaged, odd_texts

HEADER = ["user_id", "item_id", "timestamp", "event", "weight"]
TIMES = {
    "date": [f"2024-01-0{day}" for day in range(1, 7)],
    "moment": [f"2024-01-0{day} 10:0{day}:00" for day in range(1, 7)],
    "zone": [f"2024-01-0{day}T00:00:00+02:00" for day in range(1, 7)],
    "seconds": [str(1_700_000_000 + 100_000 * day) for day in range(1, 7)],
    "thousandths": [str(1_700_000_000_123 + 100_000 * day) for day in range(1, 7)],
    "slashes": [f"1{day}/02/2024" for day in range(1, 7)],
}
USERS = {
    "integers": ["1", "1", "1", "2", "2", "2"],
    "texts": ["ana", "ana", "ana", "b o", "b o", "7"],
}
ITEMS = ["10", "11", "12", "10", "11", "12"]
NAMES = ("interactions", "events", "ratings")
KEYS: tuple[Mapping[str, Any], ...] = (
    {"on_invalid": "drop"},
    {"on_invalid": "drop", "repeats": "merge"},
    {"header": False, "interactions": {"columns": {"user": 1, "item": 2, "timestamp": 3}}},
    {"separator": ";"},
    {"separator": "::"},
    {"decimal": ","},
    {"unicode": "nfc"},
    {"encoding": "latin-1"},
    {"encoding": "utf-16"},
    {"encoding": "cp1252"},
    {"encoding": "rot13"},
    {"interactions": {"time_unit": "ms"}},
    {"interactions": {"time_unit": "excel"}},
    {"interactions": {"time_format": "%d/%m/%Y"}},
    {"interactions": {"columns": {"timestamp": False}}},
    {"users": {"id_type": "integer"}},
    {"users": {"id_type": "text"}, "items": {"id_type": "text"}},
    {"items": {"features": {"price": "numeric", "tags": "multi_valued"}}},
    {"items": {"features": {"price": "categorical", "tags": {"kind": "vector", "separator": " "}}}},
    {"items": {"features": {"v": {"kind": "vector", "file": "v.npy", "ids": "ids.txt"}}}},
)
BOMBS = {
    "blank lines": b"user_id,item_id\n" + b"\n" * (1 << 21),
    "one field": b"user_id,item_id\n" + b"x" * (1 << 25),
    "zeros": bytes(1 << 25),
    "quoted": b'user_id,item_id\n"' + b"x\n" * (1 << 21),
    "columns": b"," * (1 << 16),
    "items": b"7 8 " * (1 << 18),
    "brackets": b"[" * (1 << 22),
}


SHOWN = 2_000
"""Bytes of a file that are shown when it breaks a promise."""


@dataclass(frozen=True)
class Case:
    """A folder of raw files.

    Attributes:
        files: content by name.
        keys: what section `data` says of them.
        inspect: whether `twotower inspect` looks at the folder, instead of prepare.
    """

    files: Mapping[str, bytes]
    keys: Mapping[str, Any]
    inspect: bool

    def __repr__(self) -> str:
        shown = {name: content[:SHOWN] for name, content in self.files.items()}
        return f"Case({shown}, {dict(self.keys)}, inspect={self.inspect})"


@st.composite
def _table(draw: st.DrawFn, trouble: str) -> list[list[str]]:
    """A header and six rows of events, of which a few cells are odd if that is the trouble."""
    times = TIMES[draw(st.sampled_from(sorted(TIMES)))]
    users = USERS[draw(st.sampled_from(sorted(USERS)))]
    events = ["view", "click", "view", "cart", "view", "purchase"]
    columns = [users, ITEMS, times, events, ["1", "2", "0.5", "1e1", "3.25", "5"]]
    rows = [HEADER, *map(list, zip(*columns, strict=True))]
    width = draw(st.integers(2, 5))
    rows = [list(row[:width]) for row in rows]
    if trouble == "rows":
        return [*rows, list(draw(st.sampled_from(([], [""], rows[0], rows[1], ["1"] * 6))))]
    for _ in range(draw(st.sampled_from((1, 1, 2, 4))) if trouble == "cells" else 0):
        row = draw(st.sampled_from(rows if draw(st.integers(0, 9)) == 9 else rows[1:]))
        row[draw(st.integers(0, width - 1))] = draw(odd_texts())
    return rows


@st.composite
def _text(draw: st.DrawFn, trouble: str) -> tuple[str, bytes]:
    """Delimited text: (extension, content)."""
    extension, separator = draw(
        st.sampled_from(
            ((".csv", ","), (".csv", ","), (".csv", ";"), (".tsv", "\t"), (".csv", "::"))
        )
    )
    rows = draw(_table(trouble))
    text = io.StringIO()
    if len(separator) == 1 and draw(st.booleans()):
        dialect = draw(st.sampled_from(("excel", "unix")))  # the latter encloses every field
        csv.writer(text, dialect, delimiter=separator, lineterminator="\n").writerows(rows)
    else:
        text.write("".join(f"{separator.join(row)}\n" for row in rows))
    lines = text.getvalue()
    lines = draw(
        st.sampled_from((lines, lines, lines, lines.rstrip("\n"), f"sep={separator}\n{lines}"))
    )
    end = draw(st.sampled_from(("\n", "\n", "\n", "\r\n", "\r")))
    encodings: tuple[str, ...] = ("utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32")
    if trouble == "encoding":
        encodings = ("latin-1", "cp1252", "utf-16-le", "utf-16-be", "utf-32-le", "utf-7", "cp500")
        lines = lines.replace("10", "é10")
    content = lines.replace("\n", end).encode(draw(st.sampled_from(encodings)), errors="replace")
    return extension, content


ODD_JSON = (
    "null", "[]", '["1", 2, null]', "{}", '{"a": 1}', "true", "NaN", "1e400", "7.0", "1.5", "-0",
    '"\\ud800"', '"\\u0000"', "9" * 30, "[" * 2000, '""', '1, "user_id": 2',
)  # fmt: skip


@st.composite
def _json_lines(draw: st.DrawFn, trouble: str) -> tuple[str, bytes]:
    header, *rows = draw(_table(trouble))
    lines = []
    odd = (draw(st.integers(0, 40)), draw(st.sampled_from(ODD_JSON)))
    as_numbers = draw(st.booleans())
    for number, row in enumerate(rows):
        cells = [c if as_numbers and c.isdecimal() and c.isascii() else json.dumps(c) for c in row]
        if trouble == "types" and number < len(cells) and odd[0] < len(rows) * 2:
            cells[odd[0] % len(cells)] = odd[1]
        pairs = zip(header, cells, strict=False)
        lines.append("{" + ", ".join(f"{json.dumps(name)}: {cell}" for name, cell in pairs) + "}")
    return ".jsonl", "\n".join(lines).encode()


def _as_type(texts: list[str], kind: pa.DataType) -> pa.Array:
    """A column of this type: its texts where Arrow can read them, or numbers of its own."""
    try:
        return pa.array(texts, pa.string()).cast(kind)
    except (pa.ArrowException, ValueError):
        pass
    numbers: list[Any] = [len(text) + 1 for text in texts]
    nested = {"list": [[n] for n in numbers], "struct": [{"a": n} for n in numbers]}
    values = next((v for name, v in nested.items() if str(kind).startswith(name)), numbers)
    if pa.types.is_decimal(kind):
        values = [Decimal(n) / 2 for n in numbers]
    return pa.array(values).cast(kind) if values is numbers else pa.array(values, kind)


TYPES = (
    pa.string(), pa.string(), pa.int64(), pa.int64(), pa.int32(), pa.uint64(), pa.int8(),
    pa.float64(), pa.float32(), pa.float16(), pa.large_string(), pa.binary(), pa.string_view(),
    pa.bool_(),
    pa.date32(), pa.date64(), pa.timestamp("s"), pa.timestamp("ns", "Europe/Madrid"),
    pa.timestamp("us", "UTC"), pa.time32("s"), pa.duration("s"), pa.decimal128(20, 0),
    pa.decimal128(9, 2), pa.dictionary(pa.int8(), pa.string()), pa.list_(pa.int64()), pa.null(),
    pa.struct([("a", pa.int64())]), pa.list_(pa.float32(), 1),
)  # fmt: skip


@st.composite
def _parquet(draw: st.DrawFn, trouble: str) -> tuple[str, bytes]:
    header, *rows = draw(_table(trouble))
    columns: list[pa.Array] = []
    for number in range(len(header)):
        texts = [row[number] if number < len(row) else "" for row in rows]
        kind = draw(st.sampled_from(TYPES)) if trouble == "types" else pa.string()
        try:
            column = _as_type(texts, kind)
        except (pa.ArrowException, ValueError):
            column = pa.array(texts)
        if trouble == "types" and draw(st.integers(0, 9)) == 9:
            column = pa.concat_arrays([column[:2], pa.nulls(1, column.type), column[3:]])
        columns.append(column)
    file = pa.BufferOutputStream()
    try:
        pq.write_table(pa.Table.from_arrays(columns, names=header), file)
    except pa.ArrowException:
        return ".parquet", b"PAR1"
    return ".parquet", file.getvalue().to_pybytes()


@st.composite
def _adjacency(draw: st.DrawFn, trouble: str) -> tuple[str, bytes]:
    ids = st.sampled_from(
        ("1", "2", "3", "x", *ODD_TEXTS) if trouble == "cells" else ("1", "2", "3")
    )
    lines = draw(st.lists(st.lists(ids, max_size=4).map(" ".join), max_size=5))
    return ".txt", "\n".join(["1 10 11 12", "2 10 13", *lines]).encode()


@st.composite
def _vectors(draw: st.DrawFn, trouble: str) -> tuple[bytes, bytes]:
    """A .npy file and the ids of its rows."""
    shape: tuple[int, ...] = (3, 2)
    kind, ids = "<f4", "10\n11\n12\n"
    if trouble == "types":
        kinds = ("<f8", ">f4", "<f2", "<i8", "U3", "<c8", "?", "M8[s]")
        shapes = ((3, 2), (3,), (3, 0), (0, 2), (2, 2), (3, 1, 2), ())
        kind, shape = draw(st.sampled_from(kinds)), draw(st.sampled_from(shapes))
        ids = draw(st.sampled_from((ids, "10\n11\n12", "a\nb\nc\n", "", "\n\n\n", "10\n10\n12\n")))
    file = io.BytesIO()
    np.save(file, np.ones(shape).astype(kind), allow_pickle=False)
    content = file.getvalue()
    return draw(damaged(content)) if trouble == "bytes" else content, ids.encode()


TROUBLES = (
    "none", "cells", "cells", "rows", "encoding", "types", "types", "bytes", "archive", "keys",
    "table",
)  # fmt: skip


@st.composite
def folders(draw: st.DrawFn) -> Case:
    """Events, perhaps a table and vectors, and one kind of trouble."""
    trouble = draw(st.sampled_from(TROUBLES))
    keys: dict[str, Any] = {}
    for _ in range({"keys": 2, "encoding": 1}.get(trouble, draw(st.sampled_from((0, 0, 0, 1))))):
        keys |= draw(st.sampled_from(KEYS))
    made = (_text(trouble), _text(trouble), _json_lines(trouble), _parquet(trouble))
    extension, content = draw(st.one_of(*made, _adjacency(trouble)))
    if draw(st.integers(0, 299)) == 299:
        content = BOMBS[draw(st.sampled_from(sorted(BOMBS)))]
    content = draw(damaged(content)) if trouble == "bytes" else content
    packed = trouble == "archive" or draw(st.integers(0, 9)) == 9
    if packed:
        content = gzip.compress(content, mtime=0)
        content = draw(damaged(content)) if trouble == "archive" else content
    name = draw(st.sampled_from(NAMES)) + extension + ".gz" * packed
    if extension == ".txt":
        keys["interactions"] = {"file": name, "format": "adjacency"}
    elif draw(st.integers(0, 5)) == 5:
        name = f"interactions/part-%d{extension}" + ".gz" * packed
    files = {name % number if "%" in name else name: content for number in range(2)}
    features = keys.get("items", {}).get("features", {})
    if features or trouble == "table" or draw(st.integers(0, 5)) == 5:
        files |= draw(_tables(trouble))
    if "v" in features:
        files["v.npy"], files["ids.txt"] = draw(_vectors(trouble))
    return Case(files, keys, inspect=draw(st.integers(0, 4)) == 4)


@st.composite
def _tables(draw: st.DrawFn, trouble: str) -> dict[str, bytes]:
    """A users or an items table, with more than the ids of the events."""
    side, ids = draw(st.sampled_from((("user", "1,2,ana,b o,7,x"), ("item", "10,11,12,13,x"))))
    rows = [f"{one},{number}.5,a|b" for number, one in enumerate(ids.split(","))]
    if trouble == "table":
        rows += draw(st.lists(odd_texts(), max_size=2))
    content = "\n".join([f"{side}_id,price,tags", *rows]).encode()
    return {f"{side}s.csv": draw(damaged(content)) if trouble == "table" else content}
