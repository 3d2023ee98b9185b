"""The beginning of each table of a folder, read as the pipeline would read it."""

import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import pyarrow as pa
import pyarrow.parquet as pq

from twotower.common.errors import DataError
from twotower.config.data import DataConfig
from twotower.ingest.open_file import open_source, part_files
from twotower.ingest.sources.raw_text import is_gzip
from twotower.ingest.sources.source import Source
from twotower.inspection.column import Column
from twotower.inspection.dialect import Dialect, dialect_of

HEAD_BYTES = 1 << 20
PIECES, PIECE_BYTES = 16, 1 << 16
"""Of a large file, pieces from further on are looked at too: the first accent may come late."""
USUAL = {".csv": ",", ".tsv": "\t"}
"""The separator where none is given."""
SHOWN = 40
"""Characters of a line."""
WHY_RAGGED = "perhaps separators end the lines, or quotation marks inside fields are not doubled"
COLUMNS = 5_000
"""Of a table; each takes a millisecond, and the first line of a text may be taken for a header."""
ROWS, BYTES = 200_000, 1 << 26
"""Most rows that are looked at, and so many of wide tables: a file of any size takes seconds."""


@dataclass(frozen=True)
class TableSample:
    """The first rows of a table.

    Attributes:
        file: what params.yaml calls it: a file, folder or pattern inside the folder.
        format: a row of FORMATS.
        dialect: of a text file; None for other formats.
        columns: in file order.
        num_rows: rows that were read.
        estimate: rows in all; None: unknown, and more than were read.
        num_ragged: rows with another number of fields than the header, which were left out.
        unread: why columns were left out.
    """

    file: str
    format: str
    dialect: Dialect | None
    columns: tuple[Column, ...]
    num_rows: int
    estimate: int | None
    num_ragged: int = 0
    unread: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether all rows were read."""
        return self.estimate == self.num_rows

    @property
    def is_delimited(self) -> bool:
        """Whether it is text with separators."""
        return self.format in ("csv", "tsv")

    @property
    def has_usual_separator(self) -> bool:
        """Whether the extension tells the separator."""
        extension = PurePath(self.file.lower().removesuffix(".gz")).suffix
        return self.dialect is not None and USUAL.get(extension) == self.dialect.separator

    def key_of(self, column: Column) -> str | int:
        """What params.yaml calls a column: its name, or its position if there is no header."""
        has_header = self.dialect is None or self.dialect.header
        return column.name if has_header else int(column.name)


def read_sample(root: Path, file: str) -> TableSample:
    """Read the beginning of a table.

    Args:
        root: the folder.
        file: a file, a folder or a pattern inside it.

    Raises:
        DataError: if the file cannot be read, or has not at least two columns.
    """
    path = root / file
    parts = part_files(path)
    if not parts:
        msg = f"{path}: no files"
        raise DataError(msg)
    name, dialect = _format_of(parts)
    source = open_source(path, config_of(dialect), name)
    if len(source.header) > COLUMNS:
        msg = f"{path}: {len(source.header):,} columns, of at most {COLUMNS:,} that are looked at"
        raise DataError(msg)
    table, is_whole, unread = _readable(source)
    if len(source.header) < 2 or not table.num_rows:
        msg = f"{path}: {_no_table(source)}"
        raise DataError(msg)
    named = [each for each in table.column_names if each.strip()]  # others cannot be asked for
    columns = tuple(Column(each, table[each]) for each in named)
    estimate = table.num_rows if is_whole else _estimate(parts, name)
    ragged = source.num_ragged if is_whole else 0
    reasons = tuple(reason.removeprefix(f"{path}: ") for reason in unread)
    return TableSample(file, name, dialect, columns, table.num_rows, estimate, ragged, reasons)


def _no_table(source: Source) -> str:
    """Why there are no rows of several fields."""
    if len(source.header) < 2:
        return "only one column"
    place, fields = next(source.ragged(), ("", 0))
    if not place:
        return "no rows"
    rule = f"every row must have {source.num_fields} fields, like the first"
    return f"{rule}; {place} has {fields} ({WHY_RAGGED})"


def _readable(source: Source) -> tuple[pa.Table, bool, list[str]]:
    """The first rows, whether these are all, and why columns are left out: few are needed."""
    try:
        return *_first_rows(source, source.header), []
    except DataError as error:
        reasons = {name: _refusal(source, name) for name in source.header}
        columns = [name for name, reason in reasons.items() if not reason]
        if not columns or len(columns) == len(reasons):
            raise error from None
        return *_first_rows(source, columns), [reason for reason in reasons.values() if reason]


def _refusal(source: Source, column: str) -> str:
    """Why a column cannot be read; "" if it can."""
    try:
        _first_rows(source, [column])
    except DataError as error:
        return str(error)
    return ""


def _first_rows(source: Source, columns: Sequence[str]) -> tuple[pa.Table, bool]:
    """(The first rows, whether these are all)."""
    batches, num_rows, num_bytes, more = [], 0, 0, False
    for batch in source.batches(columns):
        if more := num_rows >= ROWS or num_bytes >= BYTES:
            break
        batches.append(batch)
        num_rows += len(batch)
        num_bytes += batch.nbytes
    table = source.join(batches, columns)
    return table.slice(0, ROWS), not more and num_rows <= ROWS


def config_of(dialect: Dialect | None) -> DataConfig:
    """A `data` section with which the pipeline reads a text file."""
    if dialect is None:
        return DataConfig()
    return DataConfig(separator=dialect.separator, header=dialect.header, encoding=dialect.encoding)


def _format_of(parts: Sequence[Path]) -> tuple[str, Dialect | None]:
    path = parts[0]
    pieces = _pieces(path)
    for part in parts[1 :: len(parts) // PIECES + 1]:
        pieces.append(_read(part, [0], PIECE_BYTES)[0])
    if not pieces[0].strip():
        msg = f"{path}: the file is empty"
        raise DataError(msg)
    if pieces[0].startswith(b"PAR1"):
        return "parquet", None
    if pieces[0].lstrip().startswith(b"["):
        msg = f"{path}: a JSON array; JSON lines are read, which jq -c '.[]' makes of it"
        raise DataError(msg)
    dialect = dialect_of(pieces)
    if pieces[0].lstrip().startswith(b"{"):
        return "jsonl", Dialect(dialect.encoding, None, header=True)
    if dialect.above:
        msg = f"{path}: its first line, {dialect.above[:SHOWN]!r}, is above the header: delete it"
        raise DataError(msg)
    if dialect.is_adjacency:
        return "adjacency", dialect
    return "tsv" if dialect.separator == "\t" else "csv", dialect


def _pieces(path: Path) -> list[bytes]:
    """The beginning of a file and, unless it is compressed, whole lines from further on."""
    rest = path.stat().st_size - HEAD_BYTES
    head = _read(path, [0], HEAD_BYTES)
    if rest <= 0 or is_gzip(path):
        return head
    places = [HEAD_BYTES + rest * number // (PIECES + 1) for number in range(1, PIECES + 1)]
    return head + [piece.partition(b"\n")[2] for piece in _read(path, places, PIECE_BYTES)]


def _read(path: Path, places: Sequence[int], size: int) -> list[bytes]:
    """Bytes from some places of a file; gzip is undone."""
    pieces = []
    try:
        with gzip.open(path) if is_gzip(path) else path.open("rb") as file:
            for place in places:
                file.seek(place)
                pieces.append(file.read(size))
    except (OSError, EOFError, zlib.error) as error:
        msg = f"{path}: cannot read the file: {error}"
        raise DataError(msg) from None
    return pieces


def _estimate(paths: Sequence[Path], name: str) -> int | None:
    """Rows of all parts, from the beginning of the first; exact for Parquet."""
    if name == "parquet":
        return sum(int(pq.read_metadata(path).num_rows) for path in paths)
    if any(map(is_gzip, paths)):
        return None
    head = _pieces(paths[0])[0]
    rows = lines = max(head.count(b"\n"), 1)
    if name == "adjacency":
        rows = len(head.split()) - lines
    return round(sum(path.stat().st_size for path in paths) * rows / len(head))
