"""Repositories are begun where there is none."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPOSITORY
from twotower.common.errors import ConfigError
from twotower.project import repositories
from twotower.project.repositories import DVC_CONFIG, begin_repositories, place_in_git


@pytest.fixture(autouse=True)
def dvc(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Arguments of `dvc init`, which takes seconds and is not run."""
    calls: list[tuple[str, ...]] = []
    run = repositories.run_program

    def git_only(folder: Path, *command: str) -> None:
        if command[0] == sys.executable:
            calls.append(command[1:])
        else:
            run(folder, *command)

    monkeypatch.setattr(repositories, "run_program", git_only)
    return calls


def test_in_an_empty_folder_both_are_begun(tmp_path: Path, dvc: list[tuple[str, ...]]) -> None:
    assert place_in_git(tmp_path / "not" / "yet") is None
    assert list(begin_repositories(tmp_path)) == ["git init", "dvc init"]
    assert dvc == [("-m", "dvc", "init", "--quiet")]
    config = (tmp_path / DVC_CONFIG).read_bytes()
    assert config == (REPOSITORY / DVC_CONFIG).read_bytes()
    assert place_in_git(tmp_path) == ""
    assert list(begin_repositories(tmp_path)) == []


def test_in_a_folder_of_a_repository_only_dvc_is(
    tmp_path: Path, dvc: list[tuple[str, ...]]
) -> None:
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    shop = tmp_path / "shops" / "one"
    assert place_in_git(shop) == "shops/one"
    shop.mkdir(parents=True)
    assert place_in_git(shop) == "shops/one/"
    assert list(begin_repositories(shop)) == ["dvc init --subdir"]
    assert dvc == [("-m", "dvc", "init", "--quiet", "--subdir")]


def test_what_dvc_says_is_the_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    with pytest.raises(ConfigError, match=r"git init --nonsense: \w"):
        repositories.run_program(tmp_path, "git", "init", "--nonsense")
