"""Ways to damage a file, as disks, crashes and people do."""

import random
import shutil
from collections.abc import Callable
from pathlib import Path

Way = Callable[[Path, random.Random], None]
ZEROS = 512
"""Bytes that a file system may zero after a crash: a sector."""


def flip(path: Path, chance: random.Random) -> None:
    """Change one bit, or a few."""
    data = bytearray(path.read_bytes())
    for _ in range(chance.choice((1, 1, 20))):
        if data:
            data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def cut(path: Path, chance: random.Random) -> None:
    """Keep the beginning."""
    path.write_bytes(path.read_bytes()[: int(chance.random() * path.stat().st_size)])


def zero(path: Path, chance: random.Random) -> None:
    """Write zeros over a part."""
    data = bytearray(path.read_bytes())
    start = chance.randrange(len(data) or 1)
    data[start : start + ZEROS] = bytes(len(data[start : start + ZEROS]))
    path.write_bytes(data)


def empty(path: Path, _chance: random.Random) -> None:
    """Leave a file without content."""
    path.write_bytes(b"")


def delete(path: Path, _chance: random.Random) -> None:
    """Delete it."""
    path.unlink()


def folder(path: Path, _chance: random.Random) -> None:
    """Put a folder with a file in its place."""
    path.unlink()
    path.mkdir()
    (path / "file").write_text("text", encoding="utf-8")


WAYS: tuple[Way, ...] = (flip, flip, flip, cut, zero, empty, delete, folder)


def remove(path: Path) -> None:
    """Delete a file or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
