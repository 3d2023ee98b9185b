"""The bytes and the text of raw files."""

import codecs
import gzip
import zlib
from pathlib import Path

from twotower.common.errors import DataError

GZIP_MAGIC = b"\x1f\x8b"


def read_bytes(path: Path) -> bytes:
    """Content of a file; gzip is undone, whether the name ends in .gz or not.

    Raises:
        DataError: if the file cannot be read, is empty, or damaged.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        msg = f"{path}: cannot read the file: {error.strerror}"
        raise DataError(msg) from None
    if data.startswith(GZIP_MAGIC) or (data and path.name.lower().endswith(".gz")):
        data = _decompress(path, data)
    if not data:
        msg = f"{path}: the file is empty (0 bytes)"
        raise DataError(msg)
    return data


def read_text(path: Path, encoding: str) -> bytes:
    """Text of a file, as UTF-8 with line feeds and without a byte-order mark; never blank.

    Raises:
        DataError: also if the file is blank, or (naming line and byte) is not text in this
            encoding.
    """
    data = read_bytes(path).removeprefix(codecs.BOM_UTF8)
    text = _decode(data, path, encoding).removeprefix("\ufeff")
    if not text.strip():
        msg = f"{path}: the file has only blank lines"
        raise DataError(msg)
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        msg = (
            f"{path}: line {line}: found a null byte, so this is not {encoding} text; "
            "set data.encoding (e.g. utf-16) or the file's format"
        )
        raise DataError(msg)
    if codecs.lookup(encoding).name not in ("utf-8", "ascii"):
        data = _encode(text, path, encoding)
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in data else data


def _decompress(path: Path, data: bytes) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        msg = f"{path}: damaged gzip file: {error}"
        raise DataError(msg) from None


def _decode(data: bytes, path: Path, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except LookupError:
        msg = f"data.encoding: unknown text encoding {encoding!r}"
        raise DataError(msg) from None
    except UnicodeDecodeError as error:
        line = data[: error.start].decode(encoding, errors="ignore").count("\n") + 1
        msg = (
            f"{path}: line {line}: byte 0x{data[error.start]:02x} at offset {error.start} is not "
            f"valid {encoding}; set data.encoding to the encoding of the file (e.g. latin-1)"
        )
        raise DataError(msg) from None
    except ValueError as error:  # codecs that are not for files, and a name with a zero byte
        msg = f"{path}: data.encoding: {encoding!r} cannot decode this file: {error}"
        raise DataError(msg) from None


def _encode(text: str, path: Path, encoding: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        line = text[: error.start].count("\n") + 1
        msg = (
            f"{path}: line {line}: unpaired surrogate {text[error.start]!r}; "
            f"check that data.encoding: {encoding} is the encoding of the file"
        )
        raise DataError(msg) from None
