"""Folders in which the stages are run as a user runs them."""

import shutil
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from benchmarks.measured import Cost, cost
from twotower.data.prepared import PREPARED

REPOSITORY = Path(__file__).parent.parent
SAMPLE = REPOSITORY / "data" / "sample"
STATE = {"last_run.json": "{}\n", "warm_start.json": '{"trials": []}\n'}
"""Of a pipeline that has not run before."""


def project(folder: Path, data_root: Path = SAMPLE, keys: Mapping[str, Any] | None = None) -> Path:
    """The folder, made if it is missing, with the repository's params.yaml.

    Args:
        folder: which may hold prepared data.
        data_root: of the raw files.
        keys: what differs from params.yaml, by dotted key.
    """
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text(encoding="utf-8"))
    for key, value in {"data.root": str(data_root), **(keys or {})}.items():
        *sections, name = key.split(".")
        section = params
        for one in sections:
            section = section[one]
        section[name] = value
    (folder / "data").mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    for name, text in STATE.items():
        (folder / "data" / name).write_text(text, encoding="utf-8")
    return folder


def run_stage(name: str, folder: Path, *flags: str, env: Mapping[str, str] | None = None) -> Cost:
    """Run a stage there, with these variables as well.

    Raises:
        SystemExit: if it fails, with what it printed.
    """
    command = [sys.executable, str(REPOSITORY / "stages" / f"{name}.py"), *flags]
    return cost(command, folder, {"PYTHONPATH": str(REPOSITORY), **(env or {})})


def forget_search(folder: Path) -> None:
    """Remove the study, so that the next search there starts anew."""
    shutil.rmtree(folder / ".hpo", ignore_errors=True)
    (folder / "hpo_study.db").unlink(missing_ok=True)


def prepared_project(folder: Path, keys: Mapping[str, Any] | None = None) -> Path:
    """A project in which stage prepare has run on the sample; see `project`."""
    shutil.copytree(Path(_prepared_sample().name) / PREPARED, folder / PREPARED)
    return project(folder, keys=keys)


@cache
def _prepared_sample() -> "tempfile.TemporaryDirectory[str]":
    """A project that is removed as this process ends."""
    folder = tempfile.TemporaryDirectory(prefix="sample-")
    run_stage("prepare", project(Path(folder.name)))
    return folder
