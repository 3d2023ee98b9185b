"""The jobs of GitHub name the commands, systems and versions that the project promises."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import REPOSITORY

FOLDER = REPOSITORY / ".github" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("*.yml"))
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SYSTEMS = {"Linux": "ubuntu", "macOS": "macos", "Windows": "windows"}


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return content


TESTS = read(FOLDER / "tests.yml")
MATRIX = TESTS["jobs"]["commands"]["strategy"]["matrix"]


def commands(job: str) -> list[str]:
    """What the steps of a job of tests.yml run."""
    return [step["run"] for step in TESTS["jobs"][job]["steps"] if "run" in step]


def test_every_python_of_the_package_is_tested() -> None:
    prefix = "Programming Language :: Python :: "
    named = [text.removeprefix(prefix) for text in PROJECT["classifiers"] if prefix in text]
    assert MATRIX["python"] == named
    minor = [int(version.removeprefix("3.")) for version in named]
    assert minor == list(range(minor[0], minor[-1] + 1))
    assert PROJECT["requires-python"] == f">=3.{minor[0]},<3.{minor[-1] + 1}"


def test_every_system_of_the_readme_is_tested() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert f"on {', '.join(list(SYSTEMS)[:-1])} or {list(SYSTEMS)[-1]}" in readme
    assert MATRIX["system"] == [f"{system}-latest" for system in SYSTEMS.values()]


def test_the_commands_are_those_of_the_readme() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    documented = re.findall(r"^\$ (python run\.py[ a-z]*?) +#", readme, re.M)
    assert documented == ["python run.py", "python run.py test"]
    assert [command for command in commands("commands") if command in documented] == documented


def test_what_has_to_pass_before_a_merge_runs() -> None:
    assert "bash .ci/run" in commands("merge")


def test_the_audit_reads_the_pinned_versions() -> None:
    (command,) = commands("audit")
    assert "--requirement constraints.txt" in command


def test_the_tests_may_only_read() -> None:
    assert TESTS["permissions"] == {"contents": "read"}
    assert all("permissions" not in job for job in TESTS["jobs"].values())
    assert "secrets." not in (FOLDER / "tests.yml").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_jobs_end_and_run_pinned_actions(path: Path) -> None:
    workflow = read(path)
    assert "concurrency" in workflow
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 360
        for step in job["steps"]:
            assert "run" in step or re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"])
