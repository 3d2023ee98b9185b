"""Runs the pipeline of a scratch clone from its beginning."""

import os
import re
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twotower.common.errors import VerificationError
from twotower.common.progress import step

REPRO = ("-m", "dvc", "repro", "--force", "--no-run-cache", "--no-commit")
"""Every stage computes, and nothing goes into a cache."""
RUNNING = re.compile(r"Running stage '(\w+)'")
LAST_LINES = 50


def run_again(folder: Path, environment: dict[str, str], num_stages: int) -> None:
    """Run all stages; Ctrl-C, or the end of this process, ends them at once.

    Args:
        folder: of a project.
        environment: variables of the stages.
        num_stages: that there are, for what is shown.

    Raises:
        VerificationError: if one fails, with what it says.
    """
    said: deque[str] = deque(maxlen=LAST_LINES)
    stage = ""
    shown = step("stage", num_stages, note=lambda: stage)
    with shown as advance, _started(folder, environment) as run:
        for line in run.stdout or ():
            said.append(line.strip())
            if begun := RUNNING.match(line):
                stage = begun[1]
                advance(1)
    if run.returncode:
        msg = f"the pipeline cannot be run again; {stage or 'dvc repro'}: {_reason(said)}"
        raise VerificationError(msg)


def _reason(said: deque[str]) -> str:
    """What went wrong: our own message, else that of DVC or Python."""
    for begin in ("error: ", "ERROR: ", ""):
        for line in reversed(said):
            if line and line.startswith(begin):
                return line.removeprefix(begin)
    return "no message"


@contextmanager
def _started(folder: Path, environment: dict[str, str]) -> Iterator["subprocess.Popen[str]"]:
    """A process and its children in a group of their own, of which nothing is left at the end."""
    process = subprocess.Popen(  # noqa: S603 - fixed arguments
        [sys.executable, *REPRO],
        cwd=folder,
        env=environment | {"DVC_NO_ANALYTICS": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=os.name == "posix",
    )
    former = signal.signal(signal.SIGTERM, _end)
    try:
        yield process
        process.wait()
    finally:
        signal.signal(signal.SIGTERM, former)
        if process.poll() is None:
            _kill(process.pid)
        process.communicate()


def _end(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


def _kill(pid: int) -> None:
    """End a process and all that it has started: whatever they write is in the scratch clone."""
    if sys.platform == "win32":
        command = ["taskkill", "/F", "/T", "/PID", str(pid)]
        subprocess.run(command, capture_output=True, check=False)  # noqa: S603 - as above
    else:
        os.killpg(pid, signal.SIGKILL)
