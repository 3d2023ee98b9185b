"""Folders that are mounted, as a container's volumes are, and work on them that is cut short."""

import itertools
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

KINDS = ("tmpfs", "bind", "overlay")


class Killed(BaseException):
    """Stands for a process that ends at once."""


@contextmanager
def mounted(kind: str, folder: Path, content: Path) -> Iterator[None]:
    """`folder` as a mount of that kind, with the files of `content` in it; skips without the right.

    Args:
        kind: tmpfs, an empty volume into which the files are copied; bind, a folder of this file
            system; overlay, a volume above an image, whose folders cannot be renamed.
        folder: where it is mounted.
        content: another folder.
    """
    folder.mkdir(exist_ok=True)
    options = {"tmpfs": ["-t", "tmpfs", "none"], "bind": ["--bind", str(content)]}
    place = str(folder)
    if kind == "overlay":
        upper, work = (content.with_name(f"{content.name}-{part}") for part in ("upper", "work"))
        for part in (upper, work):
            part.mkdir()
        layers = f"lowerdir={content},upperdir={upper},workdir={work}"
        options["overlay"] = ["-t", "overlay", "none", "-o", layers]
    try:
        subprocess.run(["mount", *options[kind], place], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"this user may not mount a {kind}: {error}")
    try:
        if kind == "tmpfs":
            subprocess.run(["cp", "-r", f"{content}/.", place], check=True)
        yield
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def stop_renaming(monkeypatch: pytest.MonkeyPatch, after: int, *, killed: bool) -> None:
    """Fail once after so many files; killed: from then on, and nothing is cleaned up either."""
    rename, calls = Path.rename, itertools.count()

    def counted(self: Path, target: Path) -> None:
        number = next(calls)
        if number == after or (killed and number > after):
            raise Killed
        rename(self, target)

    monkeypatch.setattr(Path, "rename", counted)
    if killed:
        monkeypatch.setattr(shutil, "rmtree", lambda *_names, **_options: None)
