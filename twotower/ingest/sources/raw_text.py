"""The text of raw files, as a stream of clean UTF-8 whatever they hold."""

import codecs
import gzip
import io
import re
import zlib
from pathlib import Path
from typing import IO, Any

from twotower.common.errors import DataError

CHUNK = 1 << 22
"""Bytes that are read at a time."""
MAGIC = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "a spreadsheet or a zip archive",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet or document of Office",
    b"PAR1": "a Parquet file",
    b"SQLite format 3": "a SQLite database",
    b"\x28\xb5\x2f\xfd": "compressed by zstd",
    b"BZh": "compressed by bzip2",
    b"\xfd7zXZ": "compressed by xz",
}
"""How files that are not text begin."""
MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32",  # begins like UTF-16
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Byte-order marks, which say more than data.encoding."""
C1 = re.compile(rb"[\x80-\x9f]")
"""Control characters in Latin-1, letters and marks such as the euro's in Windows' cp1252."""
UNIT = b"\x1f"
"""The control character "unit separator", which stands for a separator of several characters."""


def is_gzip(path: Path) -> bool:
    """Whether a file is compressed by gzip, or named as if it were.

    Raises:
        DataError: if it cannot be read.
    """
    return path.name.lower().endswith(".gz") or _begins(path, 2) == b"\x1f\x8b"


def read_bytes(path: Path) -> bytes:
    """Content of a file; gzip is undone.

    Raises:
        DataError: if the file cannot be read, is empty, or damaged.
    """
    with _open(path) as file:
        return _read(file, path, -1)


def blank(name: str) -> DataError:
    """The error of a file without any text."""
    return DataError(f"{name}: the file has only blank lines")


class RawText:
    """A text file that can be opened any number of times."""

    def __init__(self, path: Path, encoding: str, separator: str = ",") -> None:
        """Decide how the file is decoded.

        Args:
            path: of the file; gzip is undone, whether the name ends in .gz or not.
            encoding: of its text, unless it has a byte-order mark.
            separator: one of several characters is replaced by `UNIT`.

        Raises:
            DataError: if the file cannot be read, is empty, damaged or not text, or there is no
                such encoding.
        """
        self.path = path
        with _open(path) as file:
            start = _read(file, path, 16)
        if not start:
            msg = f"{path}: the file is empty (0 bytes)"
            raise DataError(msg)
        for magic, what in MAGIC.items():
            if start.startswith(magic):
                way = "decompress it" if "compressed" in what else "export it as CSV"
                way = "unpack it or export it as CSV" if "archive" in what else way
                msg = f"{path}: is not text but {what}; {way}, or set the file's format"
                raise DataError(msg)
        mark = next((mark for mark in MARKS if start.startswith(mark)), None)
        self.encoding = MARKS[mark] if mark else encoding
        self._separator = separator.encode() if len(separator) > 1 else b""
        try:
            codecs.getincrementaldecoder(self.encoding)
        except (LookupError, ValueError) as error:
            msg = f"data.encoding: {encoding!r} is not the encoding of a text file ({error})"
            raise DataError(msg) from None

    def open(self) -> IO[bytes]:
        """UTF-8 with line feeds, without byte-order mark and null bytes.

        Reading raises a DataError, naming the line, where the file is damaged or not text.
        """
        return io.BufferedReader(_Utf8(self.path, self.encoding, self._separator), CHUNK)


class _Utf8(io.RawIOBase):
    """Reads a file in chunks, decodes and cleans them."""

    def __init__(self, path: Path, encoding: str, separator: bytes) -> None:
        self._path = path
        self._encoding = encoding
        self._separator = separator
        self._file = _open(path)
        self._decoder: Any = codecs.getincrementaldecoder(encoding)()
        name = codecs.lookup(encoding).name
        self._is_utf8 = name in ("utf-8", "ascii")
        self._is_latin_1 = name == "iso8859-1"
        # Any bytes are text in most encodings of one byte a letter: UTF-8, too, but other text.
        self._other: Any = (
            None if name.startswith("utf") else codecs.getincrementaldecoder("utf-8")()
        )
        self._is_ascii = True
        self._num_bytes = self._num_lines = 0
        self._ready = b""
        self._held_back = b""
        self._first, self._last = True, False

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()

    def readinto(self, buffer: Any) -> int:
        while not self._ready and not self._last:
            self._ready = self._next()
        size = min(len(buffer), len(self._ready))
        buffer[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def _next(self) -> bytes:
        raw = _read(self._file, self._path, CHUNK)
        self._last = not raw
        if self._other is not None:
            self._check_not_utf8(raw)
        clean = self._clean(self._decode(raw))
        self._num_bytes += len(raw)
        self._num_lines += clean.count(b"\n")
        return clean

    def _check_not_utf8(self, raw: bytes) -> None:
        self._is_ascii = self._is_ascii and raw.isascii()
        try:
            self._other.decode(raw, final=self._last)
        except UnicodeDecodeError:
            self._other = None
            return
        if self._last and not self._is_ascii:
            msg = (
                f"{self._path}: is UTF-8, not {self._encoding}; set data.encoding: utf-8 (if "
                "other files are not, give this one a byte-order mark)"
            )
            raise DataError(msg)

    def _decode(self, raw: bytes) -> bytes:
        pending = self._decoder.getstate()[0]
        if self._is_utf8 and not pending and not self._first and raw.isascii():
            return raw
        try:
            if self._is_latin_1 and (control := C1.search(raw)):
                start, stop = control.span()
                raise UnicodeDecodeError(self._encoding, raw, start, stop, "control character")
            text = self._decoder.decode(raw, final=self._last)
            if self._first and text:
                text, self._first = text.removeprefix("\ufeff"), False
            return str(text).encode()
        except UnicodeDecodeError as error:
            raise self._undecodable(error, pending) from None
        except UnicodeEncodeError as error:
            line = self._line(text[: error.start].encode(errors="replace"))
            msg = (
                f"{self._path}: line {line}: unpaired surrogate {text[error.start]!r}; "
                f"check that data.encoding: {self._encoding} is the encoding of the file"
            )
            raise DataError(msg) from None
        except (ValueError, AttributeError, TypeError) as error:  # codecs that are not for files
            msg = f"{self._path}: data.encoding: {self._encoding!r} cannot decode this file: "
            raise DataError(msg + str(error)) from None

    def _clean(self, data: bytes) -> bytes:
        """With line feeds and `UNIT`; a part of a line break or separator waits for the rest."""
        data = self._held_back + data
        self._held_back = b""
        if b"\0" in data:
            self._refuse(data, b"\0", "a null byte", "data.encoding (e.g. utf-16)")
        if b"\r" in data:
            if data.endswith(b"\r") and not self._last:
                data, self._held_back = data[:-1], b"\r"
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return self._replace_separator(data) if self._separator else data

    def _replace_separator(self, data: bytes) -> bytes:
        if UNIT in data:
            self._refuse(data, UNIT, "the control character 0x1f", "data.separator")
        data = data.replace(self._separator, UNIT)
        lengths = range(len(self._separator) - 1, 0, -1)
        half = next((n for n in lengths if data.endswith(self._separator[:n])), 0)
        if half and not self._last and not self._held_back:
            data, self._held_back = data[:-half], data[-half:]
        return data

    def _refuse(self, data: bytes, found: bytes, what: str, keys: str) -> None:
        line = self._line(data[: data.index(found)])
        msg = (
            f"{self._path}: line {line}: found {what}, so this is not {self._encoding} text; "
            f"set {keys} or the file's format"
        )
        raise DataError(msg)

    def _undecodable(self, error: UnicodeDecodeError, pending: bytes) -> DataError:
        before = error.object[: error.start].decode(self._encoding, errors="ignore")
        offset = self._num_bytes - len(pending) + error.start
        return DataError(
            f"{self._path}: line {self._line(before.encode())}: byte "
            f"0x{error.object[error.start]:02x} at offset {offset} is not valid {self._encoding}; "
            "set data.encoding to the encoding of the file (e.g. cp1252)"
        )

    def _line(self, before: bytes) -> int:
        """Line that follows the text before it, in the current chunk."""
        unix = before.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return self._num_lines + unix.count(b"\n") + 1


def _begins(path: Path, size: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(size)
    except OSError as error:
        raise _unreadable(path, error) from None


def _open(path: Path) -> Any:
    if is_gzip(path) and _begins(path, 1):
        return gzip.open(path)
    return path.open("rb")


def _read(file: IO[bytes], path: Path, size: int) -> bytes:
    try:
        return file.read(size)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        msg = f"{path}: damaged gzip file: {error}"
        raise DataError(msg) from None
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> DataError:
    return DataError(f"{path}: cannot read the file: {error.strerror}")
