"""Run a command of this project in its own environment, .venv, which is made on first use.

    python run.py                     the pipeline: dvc repro, then twotower report
    python run.py test                the tests, on all processors, but for the slow ones
    python run.py test ARGUMENTS      pytest ARGUMENTS, e.g. test -k split, or test -m slow
    python run.py -- COMMAND          anything else, e.g. -- dvc exp show
    python run.py --help              this text

The command runs in the folder of run.py, and its exit status is run.py's. The environment is
brought up to date when pyproject.toml, constraints.txt or the version of Python has changed.
Packages come from wherever pip is set up to look: its configuration files and PIP_* environment
variables apply. To start afresh, delete .venv.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":  # Ctrl-C, before there is anything to tidy up
    usual = sys.excepthook
    sys.excepthook = lambda kind, *rest: (
        os._exit(130) if kind is KeyboardInterrupt else usual(kind, *rest)
    )

import hashlib
import re
import shutil
import signal
import subprocess
import sysconfig
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
SCRIPTS = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = SCRIPTS / ("python.exe" if os.name == "nt" else "python")
STAMP = VENV / "installed.txt"
SERIES = "{}.{}".format(*sys.version_info)
PLACE = f"Python {SERIES} in {VENV}"  # scripts in an environment hold its absolute path
CUDA_NOTE = """\
Note: the torch that pip finds for Linux comes with CUDA, a download of several gigabytes.
      If no GPU will be used, interrupt this (Ctrl-C) and show pip the CPU build: set
      PIP_EXTRA_INDEX_URL to the address of the CPU wheels given on PyTorch's installation page,
      or PIP_FIND_LINKS to a folder that holds such a wheel. Then run the same command again."""


def main(arguments: list[str]) -> int:
    """Run what the arguments ask for; return its exit status."""
    if not (3, 11) <= sys.version_info[:2] <= (3, 13):
        fail(f"Python 3.11 to 3.13 is needed, this is {sys.version.split()[0]}")
    if arguments in (["-h"], ["--help"]):
        print(__doc__)
        return 0
    command = parse(arguments)
    if not is_current():
        with only_installer():
            if not is_current():
                install()
    os.chdir(ROOT)
    variables = environment(os.environ)
    if not arguments:
        if status := wait_for(command, variables):
            run([str(PYTHON), "-m", "twotower.verification.locked"])  # says if dvc.lock is damaged
            return status
        command = [str(PYTHON), "-m", "twotower", "report"]
    return hand_over(command, variables)


def parse(arguments: list[str]) -> list[str]:
    """The command to run."""
    if not arguments:
        return [str(PYTHON), "-m", "dvc", "repro"]
    if arguments[0] == "test":
        # Halves rather than tests in turn: most modules make their fixtures in one process only.
        everything = ["-n", "logical", "--dist", "worksteal"]
        return [str(PYTHON), "-m", "pytest", *(arguments[1:] or everything)]
    if arguments[0] != "--" or len(arguments) == 1:
        fail(f"unknown arguments: {' '.join(arguments)}\n\n{__doc__}", status=2)
    return arguments[1:]


def environment(outer: Mapping[str, str]) -> dict[str, str]:
    """The variables that activating .venv would set: dvc finds a stage's `python` on PATH."""
    path = os.pathsep.join(filter(None, [str(SCRIPTS), outer.get("PATH", "")]))
    inner = {**outer, "VIRTUAL_ENV": str(VENV), "PATH": path}
    inner.pop("PYTHONHOME", None)
    return inner


def is_current() -> bool:
    """Whether an installation was completed for just this checkout and Python."""
    return PYTHON.exists() and STAMP.exists() and STAMP.read_text("utf-8") == stamp()


def stamp() -> str:
    """One line on what the environment is tied to, one on what is installed in it."""
    digest = hashlib.sha256()
    for name in ("pyproject.toml", "constraints.txt"):
        digest.update((ROOT / name).read_bytes() + b"\0")
    return f"{PLACE}\n{digest.hexdigest()}\n"


def install() -> None:
    """Install the project into .venv; the stamp is written last, so that a failure is redone."""
    if not all(os.access(path, os.W_OK) for path in (ROOT, VENV) if path.exists()):
        fail(f"cannot write to {ROOT}: the environment is installed there, in .venv")
    started = time.monotonic()
    say(f"installing into {VENV}; this takes minutes, once")
    reusable = is_reusable()
    STAMP.unlink(missing_ok=True)
    if not reusable:
        run([sys.executable, "-m", "venv", "--clear", str(VENV)], "the environment was not made")
    if sys.platform == "linux" and finds_cuda(ask_pip("index", "versions", "torch")):
        say(CUDA_NOTE)
    # Compiling in parallel afterwards is faster, and done whatever pip's settings are.
    arguments = ["install", "--no-compile", "-c", "constraints.txt", "-e", ".[dev]"]
    run([str(PYTHON), "-m", "pip", *arguments], "pip failed")
    packages = sysconfig.get_path("purelib", "venv", {"base": str(VENV)})
    tests = rf"{re.escape(packages)}.*[/\\]tests?[/\\]"  # a sixth of all, which nobody imports
    run([str(PYTHON), "-m", "compileall", "-qq", "-j", "0", "-x", tests, packages])
    STAMP.write_text(stamp(), "utf-8")
    say(f"installed in {time.monotonic() - started:.0f} s")


def is_reusable() -> bool:
    """Whether pip can go on in the .venv that is there (an interrupted or outdated one)."""
    if STAMP.exists() and STAMP.read_text("utf-8").splitlines()[:1] != [PLACE]:
        return False
    return PYTHON.exists() and f"(python {SERIES})" in ask_pip("--version")


def finds_cuda(listing: str) -> bool:
    """Whether pip, given its listing of torch's versions, would download the CUDA build."""
    pinned = re.search(r"^torch==(\S+)", (ROOT / "constraints.txt").read_text("utf-8"), re.M)
    is_cpu = pinned is not None and f"{pinned[1]}+cpu" in listing
    return not is_cpu and "INSTALLED:" not in listing


def ask_pip(*arguments: str) -> str:
    """What the environment's pip prints; empty where it fails."""
    command = [str(PYTHON), "-m", "pip", *arguments]
    asked = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    return asked.stdout


def run(command: list[str], failure: str | None = None) -> None:
    """Run one step of the installation; if it has a message for its failure, that is the end."""
    inner = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    ran = subprocess.run(command, stdout=sys.stderr, env=inner, cwd=ROOT, check=False)
    if ran.returncode and failure:
        fail(f"{failure}, see above; the next run tries again", ran.returncode)


@contextmanager
def only_installer() -> Iterator[None]:
    """Hold a lock on this file; the system frees it however this process ends."""
    with Path(__file__).open("rb") as handle:
        if not try_lock(handle.fileno()):
            say("another run.py is installing; waiting for it")
            while not try_lock(handle.fileno()):
                time.sleep(0.5)
        yield


def try_lock(descriptor: int) -> bool:
    """Lock an open file for this process alone, unless another has locked it."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, 1 << 30, os.SEEK_SET)  # far past the end: all may go on reading
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:  # other errors: this file system knows no locks
        return not isinstance(error, BlockingIOError | PermissionError)
    return True


def hand_over(command: list[str], variables: dict[str, str]) -> int:
    """Become the command, so that its signals and exit status are ours; on Windows, wait for it."""
    if sys.platform != "win32":
        os.execve(locate(command, variables), command, variables)  # noqa: S606 - no shell on purpose
    return wait_for(command, variables)


def wait_for(command: list[str], variables: dict[str, str]) -> int:
    """Run the command; it is told to end when we are. Its exit status, as a shell has it."""
    told: list[int] = []
    processes: list[subprocess.Popen[bytes]] = []

    def end(number: int, _frame: object) -> None:
        told.append(number)
        for process in processes:
            process.terminate()

    started = [locate(command, variables), *command[1:]]
    # Ctrl-C reaches the command as well, which ends in its own way. An exception here could come
    # between the end of the command and its exit status, which would be lost.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, end)
    with subprocess.Popen(started, env=variables) as process:
        processes.append(process)
        if told:  # before there was something to end
            process.terminate()
        status = process.wait()
    return status if status >= 0 else 128 - status


def locate(command: list[str], variables: dict[str, str]) -> str:
    """The program of a command."""
    program = shutil.which(command[0], path=variables["PATH"])
    if program is None:
        fail(f"{command[0]}: no such command in {SCRIPTS} or on PATH", status=127)
    return program


def say(text: str) -> None:
    """Tell the user on standard error: standard output belongs to the command."""
    print(text, file=sys.stderr, flush=True)


def fail(text: str, status: int = 1) -> NoReturn:
    """Say what is wrong and end."""
    say(f"error: {text}")
    sys.exit(status)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        say("interrupted")
        sys.exit(130)
