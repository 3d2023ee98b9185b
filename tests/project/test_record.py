"""The record of a project, and what a stage says if another version is installed."""

from pathlib import Path

import pytest

from twotower.common.errors import ConfigError
from twotower.project.record import Record, digest, read_record, say_version
from twotower.project.stage_code import RECORD, code_digests

NOW = Record.of_installed({"dvc.yaml": "0"})


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_it_is_read_as_it_was_written() -> None:
    assert read_record(Path()) is None
    NOW.write(Path())
    assert read_record(Path()) == NOW


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 1, "stages": 2, "files": 3}'])
def test_a_damaged_one_is_named(text: str) -> None:
    Path(RECORD).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"^\.twotower\.json: damaged .* git checkout"):
        read_record(Path())


@pytest.mark.parametrize("stage", [None, "hpo"])
def test_there_is_nothing_to_say_in_a_clone_or_of_the_version_that_is_installed(
    stage: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    say_version(stage)
    NOW.write(Path())
    say_version(stage)
    assert capsys.readouterr().out == ""


def test_another_version_is_said_with_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    Record("0.0.1", code_digests(), {}).write(Path())
    say_version("hpo")
    assert capsys.readouterr().out == (
        f"note: this project is of twotower 0.0.1, and {NOW.version} is installed: "
        "twotower init --upgrade\n"
    )


def test_other_code_of_one_version_concerns_the_stages_that_run_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Record(NOW.version, {**NOW.stages, "refit": "0"}, {}).write(Path())
    say_version("hpo")
    assert capsys.readouterr().out == ""
    for stage in ("refit", None):
        say_version(stage)
        assert "its code has changed: twotower init --upgrade" in capsys.readouterr().out


def test_ends_of_lines_are_no_difference() -> None:
    for name, content in {"a": b"x\ny\n", "b": b"x\r\ny\r\n", "c": b"x\n"}.items():
        Path(name).write_bytes(content)
    assert digest(Path("a")) == digest(Path("b")) != digest(Path("c"))
