"""Processes that are told to end, and one whose DVC dies."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.conftest import REPOSITORY
from twotower.common.interrupts import listening
from twotower.common.quiet_start import INTERRUPTED

posix_only = pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")

STAGE = """
import os, signal, sys, time
from twotower.common.errors import one_line_errors
from twotower.common.interrupts import listening
with listening(), one_line_errors():
    try:
        print(os.getpid(), flush=True)
        {action}
        time.sleep(60)
    finally:
        print("tidied up", flush=True)
"""


def ended(code: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60
    )


def test_ctrl_c_in_the_first_lines_of_a_command_is_one_line() -> None:
    start = "from twotower.common.quiet_start import quiet_start; quiet_start()"
    said = ended(f"{start}\nraise KeyboardInterrupt")
    assert (said.returncode, said.stderr) == (130, f"{INTERRUPTED}\n")
    assert "ZeroDivisionError" in ended(f"{start}\n1 / 0").stderr


@pytest.mark.parametrize("module", ["twotower.stages", "twotower.cli"])
def test_commands_start_so(module: str) -> None:
    said = ended(f"import {module}\nraise KeyboardInterrupt")
    assert (said.returncode, said.stderr) == (130, f"{INTERRUPTED}\n")


@posix_only
def test_a_stage_that_is_told_to_end_tidies_up() -> None:
    said = ended(STAGE.format(action="os.kill(os.getpid(), signal.SIGTERM)"))
    assert (said.returncode, said.stderr) == (143, f"{INTERRUPTED}\n")
    assert said.stdout.endswith("tidied up\n")


def test_signals_are_afterwards_as_they_were() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with listening():
        pass
    assert signal.getsignal(signal.SIGTERM) == before


@posix_only
@pytest.mark.parametrize("by_dvc", [True, False])
def test_a_stage_ends_with_its_dvc_but_not_with_its_shell(by_dvc: bool, tmp_path: Path) -> None:
    script = tmp_path / "stage.py"
    script.write_text(STAGE.format(action="pass"), "utf-8")
    parent = (
        "import subprocess, sys, time\n"
        "stage = subprocess.Popen([sys.executable, sys.argv[1]])\n"
        "time.sleep(60)\n"
    )
    variables = {key: value for key, value in os.environ.items() if key != "DVC_STAGE"}
    variables |= {"PYTHONPATH": str(REPOSITORY)} | ({"DVC_STAGE": "hpo"} if by_dvc else {})
    with subprocess.Popen(
        [sys.executable, "-c", parent, str(script)],
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as dvc:
        assert dvc.stdout is not None
        stage = psutil.Process(int(dvc.stdout.readline()))
        dvc.kill()
        dvc.wait()
        gone, _ = psutil.wait_procs([stage], timeout=30 if by_dvc else 1)
        assert bool(gone) == by_dvc
        if not by_dvc:
            stage.kill()
        assert ("tidied up" in dvc.stdout.read()) == by_dvc
