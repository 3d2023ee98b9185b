"""Folders are replaced as a whole, also where the system does not rename them."""

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.common.mounts import KINDS, Killed, mounted, stop_renaming
from twotower.common.folders import NOT_OURS, atomic_folder, is_replaceable

OLD = {"last": "old", "a": "old", "gone/b": "old"}
NEW = {"last": "new", "a": "new", "more/c": "new"}


def fill(folder: Path, content: dict[str, str]) -> Path:
    for name, text in content.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def write(folder: Path, content: dict[str, str]) -> None:
    with atomic_folder(folder, "last") as target:
        fill(target, content)


def content_of(folder: Path) -> dict[str, str]:
    """Texts of the files by their path; every folder must hold one of them."""
    files = [path for path in folder.rglob("*") if not path.is_dir()]
    folders = {above for file in files for above in file.parents}
    assert all(path in folders for path in folder.rglob("*") if path.is_dir())
    return {path.relative_to(folder).as_posix(): path.read_text() for path in files}


def refuse_to_rename_folders(monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.replace

    def replace(self: Path, target: Path) -> None:
        if self.is_dir():
            raise OSError(errno.EBUSY, "Device or resource busy", str(self))
        rename(self, target)

    monkeypatch.setattr(Path, "replace", replace)


def test_failed_folder_leaves_the_old_folder_and_nothing_else(tmp_path: Path) -> None:
    folder = fill(tmp_path / "folder", OLD)
    with pytest.raises(ZeroDivisionError), atomic_folder(folder) as target:
        (target / "a").write_text("new" * (1 // 0))
    assert content_of(folder) == OLD
    assert list(tmp_path.iterdir()) == [folder]


def test_folder_is_replaced_whole(tmp_path: Path) -> None:
    for content in (OLD, NEW):
        write(tmp_path / "folder", content)
        assert content_of(tmp_path / "folder") == content


@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_stays_and_its_folder_is_replaced(tmp_path: Path, is_there: bool) -> None:
    versions = tmp_path / "versions"
    versions.mkdir()
    if is_there:
        fill(versions / "v1", OLD)
    link = tmp_path / "current"
    link.symlink_to("versions/v1")
    write(link, NEW)
    assert link.readlink() == Path("versions/v1")
    assert content_of(versions / "v1") == NEW
    assert sorted(tmp_path.iterdir()) == [link, versions]
    assert list(versions.iterdir()) == [versions / "v1"]


def test_files_are_replaced_where_the_folder_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fill(tmp_path / "folder", OLD)
    (folder / NOT_OURS).mkdir()
    (folder / NOT_OURS / "inode").write_text("of the file system")
    refuse_to_rename_folders(monkeypatch)
    with (folder / "a").open() as reader:
        write(folder, NEW)
        assert reader.read() == "old"
    assert content_of(folder) == {**NEW, f"{NOT_OURS}/inode": "of the file system"}
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("kind", KINDS)
def test_mounts(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "folder"
    with mounted(kind, folder, fill(tmp_path / "volume", OLD)):
        for content in (NEW, OLD):
            write(folder, content)
            assert content_of(folder) == content


def test_a_folder_in_an_image_is_replaced(tmp_path: Path) -> None:
    """Overlay file systems do not rename folders of the image; EXDEV."""
    fill(tmp_path / "image" / "model", OLD)
    with mounted("overlay", tmp_path / "root", tmp_path / "image"):
        write(tmp_path / "root" / "model", NEW)
        assert content_of(tmp_path / "root") == {f"model/{name}": "new" for name in NEW}


def test_nothing_is_put_beside_a_mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's root file system may be read-only."""
    monkeypatch.setattr(os.path, "ismount", lambda path: Path(path) == tmp_path / "folder")
    with atomic_folder(fill(tmp_path / "folder", OLD), "last") as target:
        assert target.parent == tmp_path / "folder"
        fill(target, NEW)
    assert content_of(tmp_path / "folder") == NEW


MOVES = len(OLD) + len(NEW)


@pytest.mark.parametrize("stop", range(MOVES))
def test_a_failure_on_the_way_is_undone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    folder = fill(tmp_path / "folder", OLD)
    refuse_to_rename_folders(monkeypatch)
    stop_renaming(monkeypatch, stop, killed=False)
    with pytest.raises(Killed):
        write(folder, NEW)
    assert content_of(folder) == OLD


@pytest.mark.parametrize("stop", range(MOVES))
def test_after_a_kill_on_the_way_nothing_looks_complete_and_the_next_one_repairs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    folder = fill(tmp_path / "folder", OLD)
    refuse_to_rename_folders(monkeypatch)
    with pytest.MonkeyPatch.context() as patch:
        stop_renaming(patch, stop, killed=True)
        with pytest.raises(Killed):
            write(folder, NEW)
    assert (folder / "last").exists() == (stop == 0)
    assert is_replaceable(folder, "last")
    write(folder, NEW)
    assert content_of(folder) == NEW


def test_a_full_disk_is_what_a_copy_reports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_source: Path, target: Path) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(target))

    monkeypatch.setattr(shutil, "copyfile", fail)
    folder = fill(tmp_path / "folder", OLD)
    refuse_to_rename_folders(monkeypatch)
    with pytest.raises(OSError, match="No space left") as raised:
        write(folder, NEW)
    assert raised.value.errno == errno.ENOSPC
    assert content_of(folder) == OLD


def test_what_may_be_replaced(tmp_path: Path) -> None:
    def may(content: Any) -> bool:
        shutil.rmtree(tmp_path / "f", ignore_errors=True)
        (tmp_path / "f").mkdir()
        return is_replaceable(fill(tmp_path / "f", dict.fromkeys(content, "")), "last")

    assert is_replaceable(tmp_path / "absent", "last")
    assert may([])
    assert may([f"{NOT_OURS}/x"])
    assert may(["last", "other"])
    assert may([".tmp-1/a"])
    assert may(["a", ".tmp-1/last"])
    assert not may(["a"])
    assert not may(["a", ".tmp-1/a"])
    assert not is_replaceable(fill(tmp_path, {"file": ""}) / "file", "last")
