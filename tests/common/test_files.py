import errno
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twotower.common.files import (
    atomic_write,
    canonical,
    followed,
    json_text,
    round_float,
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
