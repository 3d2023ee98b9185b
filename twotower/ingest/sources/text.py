"""Delimited text: every cell is read as text, so that ids such as 007 or NA survive."""

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
from pyarrow import csv as arrow_csv

from twotower.common.arrays import Int64Array
from twotower.common.errors import DataError
from twotower.ingest.sources.source import check_header

BLOCK_BYTES = 1 << 24
"""Bytes parsed at once; no row may be longer."""
csv.field_size_limit(BLOCK_BYTES)  # Python's own limit is 128 KiB


def decode(data: bytes, path: Path, encoding: str) -> bytes:
    """The text as UTF-8 with line feeds, without byte-order mark.

    Raises:
        DataError: naming line and byte of what is not text in that encoding.
    """
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        text = data.decode(encoding)
    except LookupError:
        msg = f"data.encoding: Python knows no text encoding {encoding!r}"
        raise DataError(msg) from None
    except UnicodeDecodeError as error:
        line = data[: error.start].decode(encoding, errors="ignore").count("\n") + 1
        msg = (
            f"{path}: line {line}: byte 0x{data[error.start]:02x} at offset {error.start} is not "
            f"{encoding} text; set data.encoding to the file's encoding (e.g. latin-1)"
        )
        raise DataError(msg) from None
    except ValueError as error:  # codecs that are not for files, and a name with a zero byte
        msg = f"{path}: data.encoding: {encoding!r} cannot decode this file: {error}"
        raise DataError(msg) from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        msg = (
            f"{path}: line {line}: a zero byte; this is not {encoding} text: "
            "set data.encoding (e.g. utf-16) or the file's format"
        )
        raise DataError(msg)
    is_utf8 = codecs.lookup(encoding).name in ("utf-8", "ascii")
    if not is_utf8:
        data = _encode(text.removeprefix("\ufeff"), path, encoding)
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in data else data


def _encode(text: str, path: Path, encoding: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        line = text[: error.start].count("\n") + 1
        msg = (
            f"{path}: line {line}: half a surrogate pair, {text[error.start]!r}, is no text; "
            f"data.encoding is {encoding}: is it right?"
        )
        raise DataError(msg) from None


class TextSource:
    """A CSV or TSV file with a header; fields may be quoted and then hold line breaks."""

    typed = False
    place = "line"

    def __init__(self, path: Path, data: bytes, separator: str) -> None:
        """Read the header.

        Args:
            path: for messages.
            data: UTF-8 without byte-order mark, not blank.
            separator: one ASCII character.

        Raises:
            DataError: if a column name occurs twice.
        """
        self.path = path
        self._data = data
        self._separator = separator
        rows = self._rows()
        self.header = check_header(path, next(rows)[1])
        self._first_line = next(rows, (None, []))[0]

    def load(self, columns: Sequence[str]) -> tuple[pa.Table, int]:
        """See Source.load; cells are strings, an empty cell is an empty string."""
        if self._first_line is None:
            return pa.table({name: pa.array([], pa.string()) for name in columns}), 0
        start = 0
        for _ in range(self._first_line - 1):
            start = self._data.index(b"\n", start) + 1
        body = self._data[start:]
        table, num_ragged = self._parse(body, columns)
        num_lines = body.count(b"\n") + (not body.endswith(b"\n"))
        if b'"' in body and table.num_rows + num_ragged < num_lines:
            self._check_quotes()
        return table, num_ragged

    def places(self, rows: Int64Array) -> list[int]:
        """See Source.places; a row that holds line breaks is where it starts."""
        found: list[int] = []
        wanted = iter(rows.tolist())
        target = next(wanted, None)
        regular = (line for line, row in self._body_rows() if len(row) == len(self.header))
        for index, line in enumerate(regular):
            if target is None:
                break
            if index == target:
                found.append(line)
                target = next(wanted, None)
        return found

    def ragged(self, limit: int) -> list[tuple[int, int]]:
        """See Source.ragged."""
        found: list[tuple[int, int]] = []
        for line, row in self._body_rows():
            if len(row) != len(self.header):
                found.append((line, len(row)))
            if len(found) == limit:
                break
        return found

    def _parse(self, body: bytes, columns: Sequence[str]) -> tuple[pa.Table, int]:
        ragged: list[None] = []

        def skip(_row: object) -> str:
            ragged.append(None)
            return "skip"

        try:
            table = arrow_csv.read_csv(
                pa.BufferReader(body),
                arrow_csv.ReadOptions(column_names=self.header, block_size=BLOCK_BYTES),
                arrow_csv.ParseOptions(
                    delimiter=self._separator, newlines_in_values=True, invalid_row_handler=skip
                ),
                arrow_csv.ConvertOptions(
                    column_types=dict.fromkeys(columns, pa.string()),
                    include_columns=list(columns),
                    strings_can_be_null=False,
                ),
            )
        except pa.ArrowInvalid as error:
            msg = f"{self.path}: cannot be read as a table: {error}"
            raise DataError(msg) from None
        return table, len(ragged)

    def _check_quotes(self) -> None:
        """Refuse a stray quote, which would hide rows inside a field.

        Raises:
            DataError: naming the line.
        """
        for _ in self._rows(strict=True):
            pass

    def _rows(self, *, strict: bool = False) -> Iterator[tuple[int, list[str]]]:
        """(line where it starts, fields) of every row that is not an empty line."""
        lines = io.TextIOWrapper(io.BytesIO(self._data), encoding="utf-8", newline="\n")
        reader = csv.reader(lines, delimiter=self._separator, strict=strict)
        start = 1
        try:
            for row in reader:
                if row:
                    yield start, row
                start = reader.line_num + 1
        except csv.Error as error:
            msg = (
                f"{self.path}: line {start}: a stray or unclosed quotation mark ({error}); "
                "put the field between quotes and write the mark twice"
            )
            raise DataError(msg) from None

    def _body_rows(self) -> Iterator[tuple[int, list[str]]]:
        rows = self._rows()
        next(rows)
        return rows
