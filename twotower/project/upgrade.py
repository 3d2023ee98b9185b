"""An older project, brought to the installed version; what its user has changed stays."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path

from twotower.common.errors import ConfigError
from twotower.common.files import copy_whole
from twotower.common.paths import PARAMS
from twotower.config import load_config
from twotower.project.create import JOINED, KEPT
from twotower.project.missing_keys import add_missing_keys
from twotower.project.parts import RAW
from twotower.project.record import Record, digest, read_record
from twotower.project.stage_code import RECORD

SHOWN_LINES = 20
"""Of a difference."""


class _Fate(Enum):
    SAME = ""
    NEW = "new"
    RENEWED = "renewed"
    EDITED = "yours is kept, as it is edited; the new one differs:"
    REMOVED = "removed, and stays so"
    OWN = "never written by init"


def recorded(folder: Path) -> Record:
    """The record of a project.

    Raises:
        ConfigError: if the folder is none.
    """
    record = read_record(folder)
    if record is None:
        msg = f"{folder}: not a project of twotower init: there is no {RECORD}"
        raise ConfigError(msg)
    return record


def root_in_params(folder: Path) -> str:
    """`data.root` of a project; the usual one if its params.yaml cannot be read."""
    try:
        return load_config(folder / PARAMS).data.root
    except ConfigError:
        return RAW


def upgrade_project(staged: Path, folder: Path, parts: Sequence[str]) -> list[str]:
    """Renew the files that nobody has edited, and add to params.yaml what dvc.yaml names.

    Args:
        staged: where the installed version's are.
        folder: of the project.
        parts: paths of those that are renewed.

    Returns:
        A line for all that changes, and for all that would if it had not been edited; or that
        there is nothing to do. What differs is shown once, when the version or its code does.

    Raises:
        ConfigError: if the folder is no project.
    """
    old = recorded(folder)
    fates = {name: _fate(staged / name, folder / name, old.files.get(name)) for name in parts}
    written = {}
    for name, fate in fates.items():
        if fate in (_Fate.NEW, _Fate.RENEWED):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            copy_whole(staged / name, folder / name)
        if fate in (_Fate.SAME, _Fate.NEW, _Fate.RENEWED):
            written[name] = digest(staged / name)
        elif name in old.files:
            written[name] = old.files[name]
    new, added = Record.of_installed(written), add_missing_keys(folder / PARAMS)
    said = [*_of_version(old, new), *_lines(fates, staged, folder, full=old.code != new.code)]
    said += added
    if new == old and not added:
        nothing = f"the project is of twotower {old.version}, which is installed"
        return [f"nothing to do: {nothing}", *said]
    new.write(folder)
    return [*said, *_no_longer(old, parts, folder), "next: git diff, then dvc repro"]


def _fate(new: Path, own: Path, written: str | None) -> _Fate:
    if not own.exists():
        return _Fate.NEW if written is None else _Fate.REMOVED
    now = digest(own)
    if now == digest(new):
        return _Fate.SAME
    if written is None and own.name == KEPT:
        return _Fate.OWN
    return _Fate.RENEWED if now == written else _Fate.EDITED


def _lines(fates: Mapping[str, _Fate], staged: Path, folder: Path, *, full: bool) -> Iterator[str]:
    """A line for each file; in short, one for all that are edited, and one for all removed."""
    differences = {
        name: _difference(folder / name, staged / name, lacking=name in JOINED)
        for name, fate in fates.items()
        if fate is _Fate.EDITED
    }
    edited = [name for name, difference in differences.items() if difference]
    removed = [name for name, fate in fates.items() if fate is _Fate.REMOVED]
    for name, fate in fates.items():
        if fate in (_Fate.NEW, _Fate.RENEWED) or (full and name in (*edited, *removed)):
            yield f"{name}: {fate.value}"
            yield from (f"  {line}" for line in differences.get(name, ()))
    if not full and edited:
        yield f"edited by you, and kept: {', '.join(edited)}"
    if not full and removed:
        yield f"{_Fate.REMOVED.value}: {', '.join(removed)}"


def _difference(own: Path, new: Path, *, lacking: bool) -> list[str]:
    """Lines to add (+) and to take out (-); only the former if what is `lacking` is wanted."""
    yours, theirs = (
        path.read_text(encoding="utf-8", errors="replace").splitlines() for path in (own, new)
    )
    wanted = "+" if lacking else "+-"
    compared = [line for line in difflib.ndiff(yours, theirs) if line[0] in wanted]
    more = len(compared) - SHOWN_LINES
    return compared[:SHOWN_LINES] + ([f"… and {more} lines more"] if more > 0 else [])


def _no_longer(old: Record, parts: Sequence[str], folder: Path) -> Iterator[str]:
    for name in sorted(old.files.keys() - set(parts)):
        if (folder / name).exists():
            yield f"{name}: no longer part of a project; it may be removed"


def _of_version(old: Record, new: Record) -> Iterator[str]:
    if old.version != new.version:
        yield f"twotower {old.version} -> {new.version}"
    changed = [name for name in new.stages if new.stages[name] != old.stages.get(name)]
    if changed:
        yield f"{RECORD}: dvc repro runs again: {', '.join(changed)}"
