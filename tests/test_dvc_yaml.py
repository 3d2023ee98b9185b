"""What dvc.yaml says that a stage runs is what the stage imports."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from twotower.common.yaml_file import read_yaml
from twotower.config.training import EvaluateConfig
from twotower.search.identity import OBJECTIVE_CODE

STAGES = read_yaml(REPOSITORY / "dvc.yaml")["stages"]
OBSERVERS = {
    "twotower/project": "tells a project that the installed version is another",
    "twotower/report": "writes a page that is no output of a stage",
    "twotower/tracking": "shows what a stage does, and changes nothing of it",
    "twotower/__init__.py": "imports the serving code for users of the library, on first use",
}
SHARED = "twotower/common"
"""Small, and used by every stage: each depends on all of it."""
ROWS = {
    "twotower/ingest": {"prepare"},  # `hpo --data-root` prepares too, but DVC never passes it
    "twotower/training": {"hpo", "refit"},
}
"""Rooms whose functions rows of config name, which every stage reads, and who calls them."""


def imported(path: Path) -> Iterator[str]:
    """Dotted names of all modules, and of all names in modules, that a file imports anywhere."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "lazy":
            yield ast.literal_eval(node.args[0]).partition(":")[0]


def file_of(module: str) -> Path | None:
    """The file of a module of ours; None for a name inside one, or a module of others."""
    path = REPOSITORY / module.replace(".", "/")
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return file
    return None


@cache
def runs(stage: str) -> set[str]:
    """Paths of all files of the package that a stage imports, directly or not."""
    left_out = (*OBSERVERS, *(room for room, callers in ROWS.items() if stage not in callers))
    found: set[str] = set()
    waiting = [REPOSITORY / "stages" / f"{stage}.py"]
    while waiting:
        for module in imported(waiting.pop()):
            parts = module.split(".")
            for end in range(1, len(parts) + 1):  # importing a.b.c runs a and a.b as well
                file = file_of(".".join(parts[:end]))
                if parts[0] != "twotower" or file is None:
                    continue
                name = file.relative_to(REPOSITORY).as_posix()
                if name not in found and not name.startswith(left_out):
                    found.add(name)
                    waiting.append(file)
    return found


def declared(stage: str) -> list[str]:
    return [dep for dep in STAGES[stage]["deps"] if dep.startswith("twotower/")]


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_all_that_it_runs(stage: str) -> None:
    folders = tuple(f"{dep}/" for dep in declared(stage))
    missing = {
        name
        for name in runs(stage)
        if name not in declared(stage)
        and not name.startswith(folders)
        and not name.endswith("__init__.py")  # of a folder of which only some files are run
    }
    assert missing == set()


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_depends_on_nothing_that_it_does_not_run(stage: str) -> None:
    files = runs(stage)
    for dep in declared(stage):
        if dep == SHARED:
            continue
        path = REPOSITORY / dep
        inside = path.rglob("*.py") if path.is_dir() else [path]
        idle = {file.relative_to(REPOSITORY).as_posix() for file in inside} - files
        assert idle == set(), f"{stage} depends on {dep}, of which it does not run these"


def test_the_search_runs_again_for_what_a_trial_reads_of_section_evaluate() -> None:
    keys = [key for key in STAGES["hpo"]["params"] if key.startswith("evaluate")]
    assert keys == sorted(f"evaluate.{key}" for key in EvaluateConfig.model_fields)


@pytest.mark.parametrize("room", ["assessment", "baselines", "cli", "plots", "serving", "tracking"])
def test_what_is_said_and_shown_of_a_model_starts_no_search(room: str) -> None:
    files = [
        f.relative_to(REPOSITORY).as_posix() for f in (REPOSITORY / "twotower" / room).rglob("*.py")
    ]
    assert files
    deps = declared("hpo")
    assert not [f for f in files if f in deps or f.startswith(tuple(f"{dep}/" for dep in deps))]
    objective = tuple(f"twotower/{part}" for part in OBJECTIVE_CODE)
    assert not [f for f in files if f.startswith(objective)]
