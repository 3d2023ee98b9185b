"""The git and DVC repositories of a project."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from twotower.common.errors import ConfigError
from twotower.common.files import write_text
from twotower.common.git import git
from twotower.common.sources import source_text

DVC_CONFIG = ".dvc/config"


def place_in_git(folder: Path) -> str | None:
    """Where a folder is in its git repository: empty at the root, None outside of any.

    Args:
        folder: it may not exist yet.
    """
    there = next(path for path in (folder, *folder.absolute().parents) if path.is_dir())
    prefix = git(there, "rev-parse", "--show-prefix")
    if prefix is None or there == folder:
        return prefix
    return prefix + folder.absolute().relative_to(there).as_posix()


def begin_repositories(folder: Path) -> Iterator[str]:
    """Make the folder a git and a DVC repository where it is none; a line for each.

    Args:
        folder: exists; it may be inside a git repository, and is a DVC repository of its own.

    Raises:
        ConfigError: if git or DVC fails, with what it says.
    """
    place = place_in_git(folder)
    if place is None:
        run_program(folder, "git", "init", "--quiet")
        yield "git init"
    if not (folder / ".dvc").is_dir():
        subdir = ("--subdir",) if place else ()
        run_program(folder, sys.executable, "-m", "dvc", "init", "--quiet", *subdir)
        write_text(folder / DVC_CONFIG, source_text(DVC_CONFIG))
        yield " ".join(("dvc init", *subdir))


def check_git() -> None:
    """Refuse a system that lacks git, before anything is written; DVC comes with the package.

    Raises:
        ConfigError: saying so.
    """
    if shutil.which("git") is None:
        msg = "git: no such program; a project needs it"
        raise ConfigError(msg)


def run_program(folder: Path, *command: str, env: Mapping[str, str] | None = None) -> None:
    """Run git or DVC in a folder.

    Args:
        folder: exists.
        command: its words.
        env: None: the variables of this process.

    Raises:
        ConfigError: if it fails, with what it says.
    """
    environment = {**(os.environ if env is None else env), "DVC_NO_ANALYTICS": "1"}
    try:
        subprocess.run(  # noqa: S603 - fixed arguments
            command, cwd=folder, env=environment, capture_output=True, check=True, text=True
        )
    except subprocess.CalledProcessError as error:
        said = " ".join(error.stderr.split())
        msg = f"{folder}: {' '.join(command)}: {said}"
        raise ConfigError(msg) from None
