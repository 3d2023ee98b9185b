"""Committed outputs are brought from git and from the cache, as far as they are there."""

import json
from pathlib import Path

import pytest

from twotower.verification.committed import Committed, link_or_copy
from twotower.verification.locked import Output

FILES = {"a": "aa1", "deep/b": "bb2"}


@pytest.fixture
def committed(tmp_path: Path) -> Committed:
    """The cache has a file and a folder; git another file."""
    cache = tmp_path / "cache"
    listing = json.dumps([{"md5": digest, "relpath": name} for name, digest in FILES.items()])
    for digest, content in {**{d: d for d in FILES.values()}, "cc3.dir": listing}.items():
        (cache / digest[:2]).mkdir(parents=True)
        (cache / digest[:2] / digest[2:]).write_text(content)
    (tmp_path / "git").mkdir()
    (tmp_path / "git" / "m.json").write_text("{}")
    return Committed(tmp_path / "git", cache)


def test_a_file_of_git_is_there_already(committed: Committed) -> None:
    assert committed.bring(Output("m.json", "ff9")) == committed.folder / "m.json"


def test_a_file_and_a_folder_of_the_cache_get_their_names(committed: Committed) -> None:
    file, folder = committed.bring(Output("x/a", "aa1")), committed.bring(Output("y", "cc3.dir"))
    assert file == committed.folder / "x/a"
    assert file.read_text() == "aa1"
    assert folder is not None
    assert {name: (folder / name).read_text() for name in FILES} == FILES


@pytest.mark.parametrize("output", [Output("x", "ff9"), Output("x", "ff9.dir"), Output("x", "")])
def test_what_is_nowhere_is_not_brought(committed: Committed, output: Output) -> None:
    assert committed.bring(output) is None


def test_half_a_folder_is_none(committed: Committed, tmp_path: Path) -> None:
    (tmp_path / "cache" / "bb" / "2").unlink()
    assert committed.bring(Output("y", "cc3.dir")) is None


def test_where_links_are_forbidden_files_are_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbid(*_: object, **__: object) -> None:
        raise OSError

    monkeypatch.setattr(Path, "symlink_to", forbid)
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "events.csv").write_text("x")
    link_or_copy(tmp_path / "raw", tmp_path / "folder")
    link_or_copy(tmp_path / "raw" / "events.csv", tmp_path / "file")
    assert (tmp_path / "folder" / "events.csv").read_text() == "x"
    assert (tmp_path / "file").read_text() == "x"
