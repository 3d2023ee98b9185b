"""The bytes of a model's files: each is opened once, and what is compared is what is used."""

import hashlib
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

BLOCK = 1 << 20
"""Bytes that are read at a time; whole float32."""
HEADER = 128
"""Bytes before the numbers of an array."""
LARGEST = 1e17
"""Of a vector's numbers: the products of larger ones are infinite."""
SETTLED = 2_000_000_000
"""Nanoseconds after which another change of a file is sure to change its time as well."""

_known: dict[tuple[object, ...], str] = {}
"""Digests of files that have not changed since, so that a process reads each file once."""


@contextmanager
def open_regular(path: Path) -> Iterator[FileIO]:
    """Open a file for reading.

    Links are followed: DVC's lead into its cache.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is a pipe or a device, which may never end.
    """
    with FileIO(path, "rb", opener=_open_at_once) as handle:
        if not stat.S_ISREG(os.fstat(handle.fileno()).st_mode):
            msg = f"{path.name} is no regular file"
            raise ValueError(msg)
        yield handle


def read_content(
    path: Path, digest: str | None, *, mmap: bool = False, finite: bool = False
) -> Bytes:
    """The bytes of a file.

    Args:
        path: of the file.
        digest: hexadecimal SHA-256 that it must have; None: any.
        mmap: map the file instead of keeping what is read.
        finite: whether it is an array of float32, none of which may be infinite, NaN, or as large
            that products are; not looked at without `digest`.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is no regular file, has another digest, is written to at the same time, or
            is not finite although it should be.
    """
    with open_regular(path) as handle:
        size = os.fstat(handle.fileno()).st_size
        content: Bytes = np.memmap(handle, np.uint8, "r") if mmap and size else np.empty(0, "u1")
        if not mmap:
            content = np.empty(size, np.uint8)
            _read_into(handle, content, path)
        if digest is not None:
            check_digest(handle, path, digest, None if mmap else content, finite=finite)
    return content


def check_digest(
    handle: FileIO, path: Path, digest: str, content: Bytes | None = None, *, finite: bool = False
) -> None:
    """Compare an open file with a digest; see `read_content`.

    Args:
        handle: of the file.
        path: of the file.
        digest: that it must have.
        content: what was read of it; None: it is read now.
        finite: see `read_content`.
    """
    stamp = *_stamp(handle, path), finite
    found = _known.get(stamp)
    if found is None:
        found = _digest(handle, path, content, finite=finite)
        if (*_stamp(handle, path), finite) != stamp:
            msg = f"{path.name} is written to at the same time"
            raise ValueError(msg)
        status = os.fstat(handle.fileno())
        # Whoever copies a file may set the one; nobody sets the other.
        if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > SETTLED:
            _known[stamp] = found
    if found != digest:
        msg = f"{path.name} does not match its digest in model_meta.json"
        raise ValueError(msg)


def _digest(handle: FileIO, path: Path, content: Bytes | None, *, finite: bool) -> str:
    sha = hashlib.sha256()
    is_finite, start = True, HEADER
    for block in _blocks(handle, path) if content is None else _slices(content):
        sha.update(block.data)
        if finite:
            numbers = block[start : len(block) // 4 * 4].view(np.float32)
            is_finite = is_finite and bool((np.abs(numbers) <= LARGEST).all())
            start = 0
    if not is_finite:
        msg = f"{path.name} has values that are not finite, or above {LARGEST:g}"
        raise ValueError(msg)
    return sha.hexdigest()


def _slices(content: Bytes) -> Iterator[Bytes]:
    for low in range(0, len(content), BLOCK):
        yield content[low : low + BLOCK]


def _blocks(handle: FileIO, path: Path) -> Iterator[Bytes]:
    """The file from its beginning, each block in the place of the last."""
    handle.seek(0)
    left = os.fstat(handle.fileno()).st_size
    block = np.empty(min(left, BLOCK), np.uint8)
    while left:
        part = block[: min(left, BLOCK)]
        _read_into(handle, part, path)
        left -= len(part)
        yield part


def _read_into(handle: FileIO, target: Bytes, path: Path) -> None:
    done = 0
    while done < len(target):
        part = target[done : done + (1 << 30)]  # some systems read no more at a time
        count = handle.readinto(part.data)
        if not count:
            msg = f"{path.name} is written to at the same time"
            raise ValueError(msg)
        done += count


def _stamp(handle: FileIO, path: Path) -> tuple[object, ...]:
    status = os.fstat(handle.fileno())
    times = status.st_mtime_ns, status.st_ctime_ns
    return os.fspath(path), status.st_dev, status.st_ino, status.st_size, *times


def _open_at_once(path: str, flags: int) -> int:
    """A pipe without a writer would be waited for."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
