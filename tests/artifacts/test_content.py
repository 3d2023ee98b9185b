"""The bytes of a model's files."""

import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from twotower.artifacts import content as module
from twotower.artifacts.content import BLOCK, read_content
from twotower.common.files import sha256_file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Two blocks and a bit, written an hour ago."""
    path = tmp_path / "file"
    np.arange(BLOCK // 2 + 9, dtype=np.float32).tofile(path)
    hour_ago = time.time() - 3600
    os.utime(path, (hour_ago, hour_ago))
    return path


@pytest.mark.parametrize("mmap", [True, False])
def test_what_is_read_has_the_digest(file: Path, mmap: bool) -> None:
    whole = read_content(file, sha256_file(file), mmap=mmap, finite=True)
    assert whole.tobytes() == file.read_bytes()
    with pytest.raises(ValueError, match="file does not match its digest"):
        read_content(file, "0" * 64, mmap=mmap)
    empty = file.with_name("empty")
    empty.touch()
    assert len(read_content(empty, sha256_file(empty), mmap=mmap)) == 0


@pytest.mark.parametrize("mmap", [True, False])
def test_a_file_is_hashed_once_until_it_changes(
    file: Path, mmap: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed = []
    digest_of = module._digest

    def counted(*arguments: Any, **options: Any) -> str:
        hashed.append(1)
        return digest_of(*arguments, **options)

    monkeypatch.setattr(module, "_digest", counted)
    before, now = sha256_file(file), time.time_ns()
    read_content(file, before, mmap=mmap)  # its name is new, whatever time it says
    monkeypatch.setattr(time, "time_ns", lambda: now + 2 * module.SETTLED)
    for _ in range(3):
        read_content(file, before, mmap=mmap)
    assert len(hashed) == 2
    monkeypatch.undo()
    monkeypatch.setattr(module, "_digest", counted)
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(ValueError, match="does not match"):
        read_content(file, before, mmap=mmap)
    for _ in range(2):  # just written: the next change might not change its time
        read_content(file, sha256_file(file), mmap=mmap)
    assert len(hashed) == 5


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf, np.float32(1e18)])
def test_values_that_are_not_finite_are_found(file: Path, mmap: bool, odd: float) -> None:
    values = np.fromfile(file, np.float32)
    values[-1] = odd
    values.tofile(file)
    digest = sha256_file(file)
    read_content(file, digest, mmap=mmap)
    with pytest.raises(ValueError, match="not finite"):
        read_content(file, digest, mmap=mmap, finite=True)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises((OSError, ValueError)):
        read_content(tmp_path, None)


@pytest.mark.skipif(sys.platform == "win32", reason="it has neither pipes nor devices with names")
def test_pipes_and_devices_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zeros").symlink_to("/dev/zero")
    for name in ("pipe", "zeros"):
        with pytest.raises(ValueError, match="is no regular file"):
            read_content(tmp_path / name, None)
