"""A wheel brings along all that projects are made of."""

import ast
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from twotower.common import sources
from twotower.common.paths import PARAMS
from twotower.project.parts import PARTS
from twotower.project.repositories import DVC_CONFIG


def shipped() -> set[Path]:
    """What setup.py puts into a wheel."""
    tree = ast.parse((REPOSITORY / "setup.py").read_text(encoding="utf-8"))
    (patterns,) = (
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SHIPPED"
    )
    return {path for pattern in patterns for path in REPOSITORY.glob(pattern)}


def test_a_wheel_has_every_file_that_is_read() -> None:
    parts = {path for part in PARTS for path in REPOSITORY.glob(part)}
    read = {REPOSITORY / PARAMS, REPOSITORY / DVC_CONFIG, *sources.presets().values()}
    assert parts | read == shipped()


def test_in_a_checkout_the_version_is_that_of_the_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_installed(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(sources, "version", not_installed)
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert sources.installed_version() == project["version"]


def test_presets_are_found_by_name() -> None:
    assert sources.presets()["quality"] == REPOSITORY / "presets" / "quality.yaml"
