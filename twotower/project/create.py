"""A new project: written whole, beside what a folder holds, or not at all."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from twotower.common.errors import ConfigError
from twotower.common.files import copy_whole, followed, write_json, write_text
from twotower.common.paths import PARAMS, check_place
from twotower.common.sources import source_text
from twotower.project.parts import write_parts
from twotower.project.record import UPGRADE, Record, digest, read_record
from twotower.project.repositories import begin_repositories, check_git, place_in_git
from twotower.project.shell import quoted

JOINED = (".gitattributes", ".gitignore", ".dvcignore")
"""Lists, of which a folder may have its own; its lines come last and so have the last word."""
KEPT = "README.md"


def stage_project(staged: Path, root: str, *, weekly: bool) -> list[str]:
    """Write all files of a project into an empty folder.

    Args:
        staged: the folder.
        root: `data.root` of the project.
        weekly: whether the weekly retraining is part of it.

    Returns:
        Paths of those that `twotower init --upgrade` renews; the others are the user's.
    """
    from twotower.ingest.data_profile import LAST_RUN, write_last_run
    from twotower.search.warm_start import EMPTY, WARM_START

    parts = write_parts(staged, root, weekly=weekly)
    write_text(staged / PARAMS, source_text(PARAMS.name))
    write_last_run(staged / LAST_RUN, None)
    write_json(staged / WARM_START, EMPTY)
    return parts


def check_folder(folder: Path, *, weekly: bool) -> None:
    """Refuse a folder in which no project can begin, before anything else is done.

    Raises:
        ConfigError: saying why.
    """
    check_place(folder / PARAMS)
    check_git()
    if read_record(folder) is not None:
        where = "" if folder.resolve() == Path.cwd() else f" {quoted(str(folder))}"
        msg = f"{folder}: a project already; to bring it to the installed version: {UPGRADE}{where}"
        raise ConfigError(msg)
    if weekly:
        check_weekly(folder)


def check_weekly(folder: Path) -> None:
    """Refuse a folder in which GitHub would find no workflow.

    Raises:
        ConfigError: if the project is a folder inside a git repository.
    """
    if place := place_in_git(folder):
        msg = (
            f"--weekly: GitHub runs workflows at the root of a repository only, and {folder} is "
            f"{place.rstrip('/')} in one"
        )
        raise ConfigError(msg)


def create_project(staged: Path, folder: Path, parts: Sequence[str]) -> list[str]:
    """Put the files of `stage_project` into a folder, in repositories of git and DVC.

    Args:
        staged: where they are; the lists among them are joined there with those of the folder.
        folder: it may exist, and hold anything else.
        parts: paths of those that an upgrade renews.

    Returns:
        A line for all that was done besides writing new files.

    Raises:
        ConfigError: naming the files that are there already; nothing is written.
    """
    files = (path for path in staged.rglob("*") if path.is_file())
    names = sorted(path.relative_to(staged).as_posix() for path in files)
    there = {name for name in names if (folder / name).exists()}
    _refuse(folder, names, there)
    folder.mkdir(parents=True, exist_ok=True)
    said = [*begin_repositories(folder)]
    said += _join(staged, folder, there)
    _place(staged, folder, [name for name in names if name != KEPT or name not in there], there)
    written = {name: digest(staged / name) for name in parts if name not in there}
    Record.of_installed(written).write(folder)
    return said


def _refuse(folder: Path, names: Sequence[str], there: set[str]) -> None:
    for name in names:
        check_place(folder / name)
    if taken := sorted(there.difference(JOINED, [KEPT])):
        msg = (
            f"{folder}: these files are there already: {', '.join(taken)}; move them away or "
            "choose another folder, such as one inside it"
        )
        raise ConfigError(msg)


def _join(staged: Path, folder: Path, there: set[str]) -> Iterator[str]:
    for name in JOINED:
        if name in there:
            lines = (staged / name).read_bytes(), (folder / name).read_bytes()
            (staged / name).write_bytes(b"\n".join(lines))
            yield f"{name}: your lines are kept, below those of the project"
    if KEPT in there:
        yield f"{KEPT}: yours is kept"


def _place(staged: Path, folder: Path, names: Sequence[str], there: set[str]) -> None:
    """Copy the files; if one cannot be written, none is left but those that were there."""
    placed = []
    try:
        for name in names:
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            placed.append(name)
            copy_whole(staged / name, followed(target))
    except BaseException:
        for name in placed:
            if name not in there:
                (folder / name).unlink(missing_ok=True)
        raise
