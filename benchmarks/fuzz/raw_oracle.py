"""Raw files read again, by Python's own modules, to be held against what was accepted."""

import csv
import gzip
import io
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks.promises import insist
from twotower.config import Config
from twotower.ingest.open_file import part_files
from twotower.ingest.prepare import Prepared

MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe\0\0": "utf-32", b"\xff\xfe": "utf-16",
         b"\xfe\xff": "utf-16"}  # fmt: skip
SEPARATORS = {".csv": ",", ".tsv": "\t"}
JSON = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=lambda _: None)
WHOLE = re.compile(r"-?[0-9]+(\.0+)?")
MOMENT = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d:\d\d)?([+-]\d\d:\d\d|Z)?", re.ASCII)
Row = Mapping[str, Any]


def compare(root: Path, config: Config, prepared: Prepared) -> None:
    """Insist that what was prepared are the rows of the files.

    Args:
        root: folder of the raw files.
        config: all parameters.
        prepared: what was accepted.

    Raises:
        AssertionError: if rows are lost or made up, or ids, weights or times are others.
    """
    source, read = prepared.report["source"], prepared.report["read"]["interactions"]
    path = root / source["files"]["interactions"]
    rows = [row for part in part_files(path) for row in _rows(part, config)]
    insist(read["rows"] == len(rows), f"{read['rows']} rows are read, but there are {len(rows)}")
    dropped = read["dropped"]["total"]
    insist(config.data.on_invalid == "drop" or not dropped, f"{dropped} rows are dropped")
    merged = prepared.report["merged_rows"]
    kept = len(prepared.events)
    insist(kept == len(rows) - dropped - merged, f"{kept} rows are kept of {len(rows)}")
    for side in ("user", "item"):
        column = source["columns"][side]
        there = {_id(row.get(column)) for row in rows}
        if config.data.unicode == "nfc":
            there = {unicodedata.normalize("NFC", one) for one in there}
        ours = {_id(one) for one in prepared.events.id_list(side)}
        insist(ours <= there, f"{side} ids that no row has: {sorted(ours - there)[:3]}")
        insist(dropped or ours == there, f"{side} ids are lost: {sorted(there - ours)[:3]}")
    if not dropped and not merged:
        _compare_numbers(rows, source, config, prepared)


def _compare_numbers(rows: list[Row], source: Row, config: Config, prepared: Prepared) -> None:
    """Insist on the weights and the times of plain rows."""
    columns = source["columns"]
    if "weight" in columns and "event" not in columns and config.data.decimal is None:
        want = Counter(float(row[columns["weight"]]) for row in rows)
        ours = Counter(map(float, prepared.events.columns["weight"]))
        insist(want == ours, f"weights are {ours}, not {want}")
    texts = [str(row.get(columns.get("timestamp"))).strip() for row in rows]
    if all(MOMENT.fullmatch(text) for text in texts):
        moments = [datetime.fromisoformat(text) for text in texts]
        seconds = [one if one.tzinfo else one.replace(tzinfo=UTC) for one in moments]
        times = Counter(int(one.timestamp() // 1) for one in seconds)
        own = Counter(map(int, prepared.events.timestamps))
        insist(times == own, f"times are {own}, not {times}")


def _id(value: Any) -> str:
    """How an id looks whatever its type is."""
    if isinstance(value, bool):
        return json.dumps(value)
    text = value.decode() if isinstance(value, bytes) else str(value)
    text = text.lstrip("\ufeff").strip()
    text = formula[1] if (formula := re.fullmatch(r'="([^"]*)"', text)) else text
    return text.partition(".")[0] if WHOLE.fullmatch(text) else text


def _rows(path: Path, config: Config) -> list[Row]:
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    extension = Path(path.name.removesuffix(".gz")).suffix
    if extension == ".parquet":
        return list(pq.read_table(io.BytesIO(data)).to_pylist())
    encoding = next((e for mark, e in MARKS.items() if data.startswith(mark)), config.data.encoding)
    text = data.decode(encoding).removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if extension == ".jsonl":
        return [JSON.decode(line) for line in text.split("\n") if line.strip()]
    if extension == ".txt":
        return list(_pairs(text, config.data.separator))
    separator = config.data.separator or SEPARATORS[extension]
    if declared := re.match("sep=(.)(\n|$)", text):
        separator, text = config.data.separator or declared[1], text[declared.end() :]
    if len(separator) > 1:
        separator, text = "\x1f", text.replace(separator, "\x1f")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    lines = [line for line in reader if line]
    header = [name.strip() for name in lines[0]]
    if not config.data.header:
        header = [str(number) for number in range(1, len(header) + 1)]
    return [dict(zip(header, line, strict=False)) for line in lines[config.data.header :]]


def _pairs(text: str, separator: str | None) -> list[Row]:
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    fields = [line.split(None if separator in (None, " ") else separator) for line in lines]
    return [{"user": user, "item": item} for user, *items in fields for item in items]
