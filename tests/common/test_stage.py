"""`--help` of a stage prints help and runs nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from twotower.common.errors import DataError
from twotower.common.stage import run_stage


def fail() -> None:
    msg = "the stage ran"
    raise DataError(msg)


@pytest.mark.parametrize(("argument", "status"), [("--help", 0), ("-h", 0), ("now", 2)])
def test_help_and_unknown_arguments_run_nothing(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    argument: str,
    status: int,
) -> None:
    monkeypatch.setattr(sys, "argv", ["stages/prepare.py", argument])
    with pytest.raises(SystemExit) as ended:
        run_stage(fail, "Stage `prepare`: what it does.")
    assert ended.value.code == status
    out, err = capsys.readouterr()
    assert ("what it does." in out) if status == 0 else ("arguments: now" in err)


def test_without_arguments_it_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["stages/prepare.py"])
    with pytest.raises(SystemExit):
        run_stage(fail, "")
    assert capsys.readouterr().err == "error: the stage ran\n"


@pytest.mark.skipif(os.name != "posix", reason="closes a stream as shells do")
def test_no_file_takes_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    code = (
        "import os; from twotower.common.stage import begun\n"
        "with begun(): print(os.open(os.devnull, os.O_RDONLY))"
    )
    command = ["sh", "-c", 'exec "$0" -c "$1" <&-', sys.executable, code]
    ran = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, check=True, text=True)
    assert int(ran.stdout) > 2
