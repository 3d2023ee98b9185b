"""Invented exports whose format says what is a number: Parquet and JSON lines."""

import json
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq

from tests.ingest.export_columns import Column, Export, choose_names, integers_only
from tests.ingest.export_text import Dialect, Table, store


def write_json_lines(rng: Random, export: Export, made: dict[str, Column]) -> None:
    names = choose_names(rng, export, list(made))
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
    store(rng, export, table, dialect, rng.choice((".jsonl", ".ndjson")))


def _json_value(rng: Random, text: str, is_text: bool) -> str:
    """A number as such or as text, all else as text."""
    try:
        is_number = json.loads(text) == float(text)
    except ValueError:
        is_number = False
    if is_number and not is_text and rng.random() < 0.8:
        return text
    return json.dumps(text, ensure_ascii=rng.random() < 0.5)


def write_parquet(rng: Random, export: Export, made: dict[str, Column]) -> None:
    names = choose_names(rng, export, list(made))
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
    if role in ("user", "item") and integers_only(column):
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
