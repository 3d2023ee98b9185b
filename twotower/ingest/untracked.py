"""Raw files that experiments in folders of their own do not have."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twotower.common.git import git
from twotower.common.yaml_file import read_yaml

MAX_NAMED = 3
"""Files that the note names."""


def untracked_note(root: Path, repository: Path) -> str | None:
    """What `dvc exp run --temp` and `--queue`, which take tracked files along, leave behind.

    Args:
        root: `data.root`; relative to the repository, or absolute, and then read where it is.
        repository: the checkout; the current folder may be a copy that an experiment runs in.

    Returns:
        One line; None if there is nothing to say, or no git.
    """
    top = git(repository, "rev-parse", "--show-toplevel")
    if root.is_absolute() or top is None:
        return None
    if not Path(os.path.abspath(repository / root)).is_relative_to(Path(top)):  # noqa: PTH100 - links stay
        return (
            f"{root} lies outside the repository: `dvc exp run --temp` and `--queue` find it only "
            "where data.root is an absolute path"
        )
    is_copy = repository.resolve() != Path.cwd()
    names = [n for n in untracked_files(root, repository) if not (is_copy and Path(n).exists())]
    if not names:
        return None
    if stage := _stage_that_writes(root, repository):
        return (
            f"{root}: DVC does not have this output of stage {stage} yet: "
            f"dvc repro {stage}, before git add"
        )
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return (
        f"{', '.join(names[:MAX_NAMED])}{more}: in neither git nor DVC, so `dvc exp run --temp` "
        f"and `--queue` run without: git add or dvc add {root} first (and git add {root}.dvc)"
    )


def untracked_files(root: Path, repository: Path) -> Iterator[str]:
    """Files below `root` that are in neither; hidden ones aside."""
    in_dvc = set(_in_dvc(repository))
    for name in _listed(repository, "--others", "--", root.as_posix()):
        path = Path(name)
        if not path.name.startswith(".") and in_dvc.isdisjoint((path, *path.parents)):
            yield name


def _in_dvc(repository: Path) -> Iterator[Path]:
    """Files and folders that DVC has: by .dvc files in git, and outputs of stages."""
    for name in _listed(repository, "--", "*.dvc"):
        yield Path(name).with_suffix("")
    for stage in _stages(repository / "dvc.lock").values():
        yield from (Path(out["path"]) for out in stage.get("outs", ()))


def _stage_that_writes(root: Path, repository: Path) -> str | None:
    """The stage of dvc.yaml whose output the folder is, as docs/warehouses.md has one."""
    for name, stage in _stages(repository / "dvc.yaml").items():
        outs = [next(iter(out)) if isinstance(out, dict) else out for out in stage.get("outs", ())]
        if {"${data.root}", root.as_posix()}.intersection(outs):
            return name
    return None


def _stages(path: Path) -> dict[str, dict[str, Any]]:
    """By name; none if there is no such file."""
    return (read_yaml(path) or {}).get("stages", {}) if path.exists() else {}


def _listed(repository: Path, *arguments: str) -> list[str]:
    """Paths of `git ls-files`, relative to the repository."""
    return [
        name for name in (git(repository, "ls-files", "-z", *arguments) or "").split("\0") if name
    ]
