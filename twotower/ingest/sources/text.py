"""Delimited text: every cell is read as text, so that ids such as 007 or NA survive."""

import csv
import io
import re
from collections.abc import Generator, Iterator, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import IO

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from twotower.common.arrays import Int64Array
from twotower.common.errors import DataError
from twotower.config.data import DataConfig
from twotower.ingest.sources.quotes import badly_quoted, has_odd_quote
from twotower.ingest.sources.raw_text import UNIT, RawText, blank
from twotower.ingest.sources.source import Source

BLOCK_BYTES = 1 << 24
"""Bytes parsed at once; no row may be longer."""
SEPARATOR_LINE = re.compile(rb"sep=(.)\n?")
"""By this first line, which is no header, spreadsheets know the separator."""
VALUE = re.compile(r"\s*[+-]?[0-9][0-9.,:/T Z+-]*\s*")
"""A number or a date: no column has such a name."""
csv.field_size_limit(BLOCK_BYTES)  # Python's own limit is 128 KiB


def open_csv(path: Path, config: DataConfig) -> Source:
    """Open comma-separated text, or text with the separator of `data.separator`."""
    return TextSource(path, config, ",")


def open_tsv(path: Path, config: DataConfig) -> Source:
    """Open tab-separated text, or text with the separator of `data.separator`."""
    return TextSource(path, config, "\t")


class TextSource(Source):
    """Delimited text; quoted fields may contain line breaks."""

    def __init__(self, path: Path, config: DataConfig, separator: str) -> None:
        """Read the header.

        Args:
            path: of the file.
            config: separator, encoding, and whether there is a header.
            separator: unless `config` has one.

        Raises:
            DataError: if a column name occurs twice, the header has a stray quotation mark, or
                looks like a row of data.
        """
        self.name = str(path)
        with RawText(path, config.encoding).open() as text:
            declared = SEPARATOR_LINE.fullmatch(text.readline(10))
        self._skipped = 1 if declared else 0
        self._separator = config.separator or (declared[1].decode() if declared else separator)
        self._delimiter = self._separator if len(self._separator) == 1 else UNIT.decode()
        self._text = RawText(path, config.encoding, self._separator)
        rows = self._rows()
        top = list(islice(rows, 2))
        if not any(cell.strip() for _, row in chain(top, rows) for cell in row):  # up to the first
            raise blank(self.name)
        rows.close()
        self.has_header = config.header
        body = top[1:] if config.header else top
        header = [name.strip() for name in top[0][1]]
        if config.header:
            self._check_header(header)
        else:
            header = [str(number + 1) for number in range(len(header))]
        super().__init__(self.name, header)
        if config.header:
            self.values_in_header = frozenset(filter(VALUE.fullmatch, header))
            pairs = zip(header, body[0][1] if body else [], strict=False)
            alike = (name for name, cell in pairs if _shape(name) == _shape(cell.strip()))
            self.like_the_first_row = self.values_in_header & frozenset(alike)
        self._first_line = body[0][0] if body else None

    def batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """See Source.batches; cells are strings, an empty cell is an empty string."""
        if self._first_line is None:
            self.num_ragged = 0
            return
        ragged: list[None] = []
        num_rows = 0
        with self._text.open() as text:
            for _ in range(self._first_line - 1):
                text.readline()
            counted = _Counted(text, self._delimiter.encode())
            for batch in self._parse(counted, columns, ragged):
                num_rows += len(batch)
                yield batch
        self.num_ragged = len(ragged)
        if counted.has_quotes and num_rows + len(ragged) < counted.num_lines:
            self._check_quotes()
        if counted.has_odd_quotes:
            self._check_enclosed(columns)

    def places(self, rows: Int64Array) -> list[str]:
        """See Source.places; a row of several lines has its first line."""
        if not len(rows):
            return []
        targets = set(rows.tolist())
        regular = (line for line, row in self._body_rows() if len(row) == len(self.header))
        lines = islice(regular, int(rows[-1]) + 1)
        return [f"line {line}" for index, line in enumerate(lines) if index in targets]

    def ragged(self) -> Iterator[tuple[str, int]]:
        """See Source.ragged."""
        for line, row in self._body_rows():
            if len(row) != len(self.header):
                yield f"line {line}", len(row)

    def _check_header(self, header: Sequence[str]) -> None:
        if all(VALUE.fullmatch(cell) for cell in header):
            shown = ", ".join(header[:5])
            msg = (
                f"{self.name}: is there a header? The first row looks like data ({shown}); if so, "
                "set data.header: false, and give the columns by their position, from 1"
            )
            raise DataError(msg)

    def _parse(
        self, text: "_Counted", columns: Sequence[str], ragged: list[None]
    ) -> Iterator[pa.RecordBatch]:
        def skip(_row: object) -> str:
            ragged.append(None)
            return "skip"

        try:
            batches = arrow_csv.open_csv(
                pa.PythonFile(text, mode="r"),
                arrow_csv.ReadOptions(column_names=self.header, block_size=BLOCK_BYTES),
                arrow_csv.ParseOptions(
                    delimiter=self._delimiter, newlines_in_values=True, invalid_row_handler=skip
                ),
                arrow_csv.ConvertOptions(
                    column_types=dict.fromkeys(columns, pa.string()),
                    include_columns=list(columns),
                    strings_can_be_null=False,
                ),
            )
            for batch in batches:
                yield self._unreplaced(batch)
        except pa.ArrowInvalid as error:
            msg = f"{self.name}: cannot parse the file as a table: {error}"
            raise DataError(msg) from None

    def _unreplaced(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """With the separator itself in quoted cells."""
        if self._delimiter == self._separator:
            return batch
        cells = [
            pc.replace_substring(column, self._delimiter, self._separator)
            for column in batch.columns
        ]
        return pa.RecordBatch.from_arrays(cells, schema=batch.schema)

    def _check_quotes(self) -> None:
        """Refuse a stray quote, which would hide rows inside a field.

        Texts have commas, blanks and line breaks, but hardly ever as many tabs as whole rows.

        Raises:
            DataError: naming the line.
        """
        in_texts = self._separator in ",; "
        for line, row in self._rows(strict=True):
            for cell in row:
                breaks = cell.count("\n")
                separators = cell.count(self._delimiter)
                if breaks and separators == breaks * (len(self.header) - 1) and not in_texts:
                    msg = (
                        f"{self.name}: line {line}: quotation marks enclose the rest of a row and "
                        "other rows; if they are text, enclose the field and double them"
                    )
                    raise DataError(msg)

    def _check_enclosed(self, columns: Sequence[str]) -> None:
        """Refuse fields that are read without the quotation marks in them, or with those around.

        Raises:
            DataError: naming the line.
        """
        with self._text.open() as text:
            lines = io.TextIOWrapper(text, encoding="utf-8", newline="\n")
            bad = badly_quoted(lines, self._delimiter, self.header, columns)
            for line, column, field in bad:
                msg = (
                    f"{self.name}: line {line}: column {column!r}: stray quotation mark in "
                    f"{field!r}; enclose the whole field, without blanks before it, and double "
                    "the marks inside"
                )
                raise DataError(msg)

    def _rows(self, *, strict: bool = False) -> Generator[tuple[int, list[str]]]:
        """(line where it starts, fields) of every row that is not an empty line."""
        with self._text.open() as text:
            lines = io.TextIOWrapper(text, encoding="utf-8", newline="\n")
            reader = csv.reader(lines, delimiter=self._delimiter, strict=strict)
            start = 1
            try:
                for row in reader:
                    if row and start > self._skipped:
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
        if self.has_header:
            next(rows)
        return rows


def _shape(cell: str) -> str:
    return re.sub("[0-9]", "0", cell)


class _Counted(io.RawIOBase):
    """Passes a stream on, counts its lines and looks for quotation marks."""

    def __init__(self, text: IO[bytes], separator: bytes) -> None:
        self._text = text
        self._separator = separator
        self.num_lines = 0
        self.has_quotes = self.has_odd_quotes = False
        self._last = b"\n"

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._text.read(size)
        if data:
            self.num_lines += data.count(b"\n")
            if b'"' in data:
                self.has_quotes = True
                self.has_odd_quotes |= has_odd_quote(data, self._separator, self._last)
            self._last = data[-1:]
        elif self._last != b"\n":
            self.num_lines, self._last = self.num_lines + 1, b"\n"
        return data
