"""Folders that are replaced as a whole."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path

from twotower.common.files import IMMOVABLE, TEMPORARY, named, temporary_in

NOT_OURS = "lost+found"
"""What ext file systems have at their root."""


@contextmanager
def atomic_folder(path: Path, last: str = "") -> Iterator[Path]:
    """Empty folder that takes the place of `path` on success; on failure `path` stays as it was.

    Where `path` is a link to a folder, that folder is replaced and the link stays. Where a folder
    cannot be replaced, because it is mounted or its parent is read-only, its files are.

    Args:
        path: the folder.
        last: file without which the folder is not complete; where files are replaced one by one it
            goes first and comes last, so that nobody takes a mixture for a complete folder.

    Raises:
        OSError: of the disk, with names below `path`.
    """
    path = Path(os.path.realpath(path)) if path.is_symlink() else path
    is_fixed = path.is_dir() and (os.path.ismount(path) or not os.access(path.parent, os.W_OK))
    with staged(path if is_fixed else path.parent, path) as temporary:
        yield temporary
        if is_fixed:
            _replace_files(path, temporary, last)
        else:
            _replace_folder(path, temporary, last)


@contextmanager
def staged(folder: Path, path: Path) -> Iterator[Path]:
    """Folder inside another, for what is not complete yet; it is gone at the end.

    Args:
        folder: the other.
        path: what errors of the disk name in place of the new folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    temporary = temporary_in(folder)
    try:
        with named(path, temporary):
            temporary.mkdir(0o755)
            yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def is_replaceable(path: Path, last: str) -> bool:
    """Whether `path` may be replaced: nothing is there but what `atomic_folder` wrote.

    An empty folder may, and one in which replacing was cut short.

    Args:
        path: of a folder, or of nothing yet.
        last: file by which a complete folder is recognised.
    """
    if not path.is_dir():
        return not path.exists()
    content = [entry for entry in path.iterdir() if entry.name != NOT_OURS]
    unfinished = [entry for entry in content if entry.name.startswith(TEMPORARY)]
    if (path / last).is_file() or any((entry / last).is_file() for entry in unfinished):
        return True
    return len(unfinished) == len(content)


def copy_files(source: Path, target: Path, *ignored: str) -> None:
    """Copy the files below a folder to another; the first error ends it, and is that of the disk.

    `shutil.copytree` goes on, and raises a list of messages.

    Args:
        source: the folder.
        target: the other, which is made where it is missing.
        ignored: patterns of names of files and folders that are left out.
    """
    target.mkdir(parents=True, exist_ok=True)
    for file in _files(source):
        parts = file.relative_to(source).parts
        if any(fnmatch(part, pattern) for part in parts for pattern in ignored):
            continue
        copy = target / file.relative_to(source)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)


def _replace_folder(path: Path, new: Path, last: str) -> None:
    """Rename the folders; files one by one where the system refuses that."""
    old = new.with_name(new.name + "-old")
    try:
        if path.exists():
            path.replace(old)
        new.replace(path)
    except OSError as error:
        if error.errno not in IMMOVABLE or not path.exists():
            raise
        with staged(path, path) as inside:
            copy_files(new, inside)
            _replace_files(path, inside, last)
    finally:
        if old.exists() and not path.exists():
            old.replace(path)
        shutil.rmtree(old, ignore_errors=True)


def _replace_files(path: Path, new: Path, last: str) -> None:
    """Put the files of `new`, a folder inside `path`, in the place of all others there.

    Files are renamed, never written to: whoever has the old ones open keeps them.
    """
    old = new.with_name(new.name + "-old")
    leaving = [file for file in _files(path) if new not in file.parents]
    leaving.sort(key=lambda file: file != path / last)
    arriving = _files(new)
    arriving.sort(key=lambda file: file == new / last)
    moves = [(file, old / file.relative_to(path)) for file in leaving]
    moves += [(file, path / file.relative_to(new)) for file in arriving]
    try:
        _move(moves)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        for entry in reversed(_below(path)):
            if entry.is_dir() and not any(entry.iterdir()):
                entry.rmdir()


def _move(moves: list[tuple[Path, Path]]) -> None:
    """Rename all files, in this order, or none."""
    done = []
    try:
        for source, target in moves:
            target.parent.mkdir(parents=True, exist_ok=True)
            source.rename(target)
            done.append((source, target))
    except BaseException:
        for source, target in reversed(done):
            target.rename(source)
        raise


def _files(folder: Path) -> list[Path]:
    return [entry for entry in _below(folder) if entry.is_symlink() or not entry.is_dir()]


def _below(folder: Path) -> list[Path]:
    """Files, links and folders below the folder, but for what is not ours; parents first."""
    ours = (path for path in folder.rglob("*") if path.relative_to(folder).parts[0] != NOT_OURS)
    return sorted(ours)
