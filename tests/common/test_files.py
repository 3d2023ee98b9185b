import errno
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from twotower.common.arrays import save_array
from twotower.common.files import (
    atomic_write,
    canonical,
    check_seal,
    copy_whole,
    followed,
    json_text,
    round_float,
    sealed,
    write_csv,
    write_json,
)


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_write(path) as handle:
        handle.write(b"half" * (1 // 0))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_errors_of_the_disk_name_the_file_and_not_its_temporary_one(tmp_path: Path) -> None:
    path, other = tmp_path / "file", tmp_path / "other"
    with pytest.raises(OSError, match="No space") as raised, atomic_write(path):
        raise OSError(errno.ENOSPC, "No space left on device")  # as writing to a handle does
    assert raised.value.filename == str(path)
    with pytest.raises(FileNotFoundError) as missing, atomic_write(path):
        other.read_bytes()
    assert missing.value.filename == str(other)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a disk that is always full")
def test_an_array_that_does_not_fit_says_that_the_disk_is_full() -> None:
    with Path("/dev/full").open("wb", buffering=0) as full, pytest.raises(OSError) as raised:  # noqa: PT011
        save_array(full, np.zeros(1000))
    assert raised.value.errno == errno.ENOSPC


@pytest.mark.parametrize(
    "array", [np.arange(6).reshape(2, 3), np.zeros((0, 4), np.float32), np.arange(6)[::2]]
)
def test_an_array_has_the_bytes_that_numpy_writes(array: Any) -> None:
    ours, theirs = io.BytesIO(), io.BytesIO()
    save_array(ours, array)
    np.save(theirs, np.ascontiguousarray(array))
    assert ours.getvalue() == theirs.getvalue()


def test_a_copy_is_whole_and_as_executable(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_text("new")
    source.chmod(0o755)
    target.write_text("old")
    copy_whole(source, target)
    assert target.read_text() == "new"
    assert target.stat().st_mode == source.stat().st_mode
    source.unlink()
    with pytest.raises(FileNotFoundError):
        copy_whole(source, target)
    assert target.read_text() == "new"


def test_a_seal_is_of_the_values_whatever_their_order_and_last_digits() -> None:
    content = sealed({"b": 0.1 + 0.2, "a": {"n": [1, None]}})
    check_seal(json.loads(json_text(content)))
    check_seal({"without": "a seal"})
    with pytest.raises(ValueError, match="its checksum is wrong"):
        check_seal({**content, "b": 0.4})


def test_a_link_is_replaced_unless_it_is_to_be_followed(tmp_path: Path) -> None:
    link, target = tmp_path / "link", tmp_path / "elsewhere" / "file"
    target.parent.mkdir()
    link.symlink_to(target)
    with atomic_write(followed(link)) as handle:
        handle.write(b"through the link")
    assert link.is_symlink()
    assert target.read_bytes() == b"through the link"
    target.chmod(0o444)  # as in DVC's cache
    for path in (followed(link), link):
        with atomic_write(path) as handle:
            handle.write(b"here")
        assert target.read_bytes() == b"through the link"
        assert not link.is_symlink()
        assert link.read_bytes() == b"here"
    assert sorted(tmp_path.iterdir()) == [target.parent, link]


def test_a_mounted_file_is_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old, and longer")

    def refuse(self: Path, _target: Path) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy", str(self))

    monkeypatch.setattr(Path, "replace", refuse)
    with atomic_write(path) as handle:
        handle.write(b"new")
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_json_is_sorted_rounded_and_ends_with_a_line_feed(tmp_path: Path) -> None:
    write_json(tmp_path / "x.json", {"b": 1 / 3, "a": math.nan, "c": (1, -0.0)})
    text = (tmp_path / "x.json").read_bytes().decode()
    assert text.endswith("}\n")
    assert text.index('"a"') < text.index('"b"')
    assert json.loads(text) == {"a": None, "b": 0.33333333, "c": [1, 0.0]}


def test_csv_cells(tmp_path: Path) -> None:
    write_csv(tmp_path / "x.csv", ["a", "b", "c"], [{"a": 1 / 3, "b": None}, {"c": "x,y"}])
    assert (tmp_path / "x.csv").read_bytes() == b'a,b,c\n0.33333333,,\n,,"x,y"\n'


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_rounding_is_idempotent_and_close(value: float) -> None:
    once = round_float(value)
    assert round_float(once) == once
    assert math.isclose(once, value, rel_tol=1e-7, abs_tol=1e-300)
    assert canonical(json.loads(json_text(value))) == once
