"""Opens a raw file: from its name to a Source."""

import gzip
import zlib
from pathlib import Path

from twotower.common.errors import DataError
from twotower.config.data import DataConfig, FileFormat
from twotower.ingest.sources.adjacency import AdjacencySource
from twotower.ingest.sources.parquet import ParquetSource
from twotower.ingest.sources.source import Source
from twotower.ingest.sources.text import TextSource, decode

EXTENSIONS: dict[str, FileFormat] = {".csv": "csv", ".tsv": "tsv", ".parquet": "parquet"}
SEPARATORS = {"csv": ",", "tsv": "\t"}
GZIP_MAGIC = b"\x1f\x8b"


def open_source(path: Path, config: DataConfig, file_format: FileFormat | None) -> Source:
    """Open one raw file and read its header.

    Args:
        path: of the file; gzip is undone, whether the name ends in .gz or not.
        config: gives the separator and the encoding of text files.
        file_format: None: by the file's extension.

    Raises:
        DataError: if the file is missing, empty, damaged, or of no known format.
    """
    file_format = file_format or _format_of(path, config)
    data = _read_bytes(path)
    if file_format == "parquet":
        return ParquetSource(path, data)
    text = decode(data, path, config.encoding)
    if not text.strip():
        msg = f"{path}: the file holds nothing but blank lines"
        raise DataError(msg)
    if file_format == "adjacency":
        return AdjacencySource(path, text, config.separator)
    return TextSource(path, text, config.separator or SEPARATORS[file_format])


def _format_of(path: Path, config: DataConfig) -> FileFormat:
    extension = Path(path.name.lower().removesuffix(".gz")).suffix
    if extension in EXTENSIONS:
        return EXTENSIONS[extension]
    if config.separator is not None:
        return "csv"
    msg = (
        f"{path}: the extension {extension!r} does not tell the format; set `format` beside the "
        "file's name in params.yaml, or data.separator"
    )
    raise DataError(msg)


def _read_bytes(path: Path) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        msg = f"{path}: cannot be read: {error.strerror}"
        raise DataError(msg) from None
    if data.startswith(GZIP_MAGIC) or (data and path.name.lower().endswith(".gz")):
        data = _decompress(path, data)
    if not data:
        msg = f"{path}: the file is empty (0 bytes)"
        raise DataError(msg)
    return data


def _decompress(path: Path, data: bytes) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        msg = f"{path}: damaged gzip file: {error}"
        raise DataError(msg) from None
