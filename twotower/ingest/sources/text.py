"""Delimited text: every cell is read as text, so that ids such as 007 or NA survive."""

import csv
import io
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import pyarrow as pa
from pyarrow import csv as arrow_csv

from twotower.common.arrays import Int64Array
from twotower.common.errors import DataError
from twotower.config.data import DataConfig
from twotower.ingest.sources.raw_bytes import read_text
from twotower.ingest.sources.source import Source

BLOCK_BYTES = 1 << 24
"""Bytes parsed at once; no row may be longer."""
csv.field_size_limit(BLOCK_BYTES)  # Python's own limit is 128 KiB


def open_csv(path: Path, config: DataConfig) -> Source:
    """Open comma-separated text, or text with the separator of `data.separator`."""
    return _open(path, config, ",")


def open_tsv(path: Path, config: DataConfig) -> Source:
    """Open tab-separated text, or text with the separator of `data.separator`."""
    return _open(path, config, "\t")


def _open(path: Path, config: DataConfig, separator: str) -> Source:
    text = read_text(path, config.encoding)
    return TextSource(str(path), text, config.separator or separator)


class TextSource(Source):
    """Delimited text with a header; quoted fields may contain line breaks."""

    place = "line"

    def __init__(self, name: str, data: bytes, separator: str) -> None:
        """Read the header.

        Args:
            name: for messages.
            data: UTF-8 without byte-order mark, not blank.
            separator: one ASCII character.

        Raises:
            DataError: if a column name occurs twice, or the header has a stray quotation mark.
        """
        self.name = name
        self._data = data
        self._separator = separator
        rows = self._rows()
        super().__init__(name, next(rows)[1])
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
        """See Source.places; a row of several lines has its first line."""
        if not len(rows):
            return []
        targets = set(rows.tolist())
        regular = (line for line, row in self._body_rows() if len(row) == len(self.header))
        lines = islice(regular, int(rows[-1]) + 1)
        return [line for index, line in enumerate(lines) if index in targets]

    def ragged(self) -> Iterator[tuple[int, int]]:
        """See Source.ragged."""
        for line, row in self._body_rows():
            if len(row) != len(self.header):
                yield line, len(row)

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
            msg = f"{self.name}: cannot parse the file as a table: {error}"
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
                f"{self.name}: line {start}: stray or unclosed quotation mark ({error}); "
                "enclose the field in quotation marks and double the one inside"
            )
            raise DataError(msg) from None

    def _body_rows(self) -> Iterator[tuple[int, list[str]]]:
        rows = self._rows()
        next(rows)
        return rows
