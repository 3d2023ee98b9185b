"""A real scheduler and real workers, as a user would start them."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import psutil

from tests.conftest import REPOSITORY
from twotower.search.objective import Report
from twotower.search.trial import Trial


class Cluster:
    """Processes of this machine, which may be killed and started again; all end with `with`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = str(probe.getsockname()[1])
        self.address = f"tcp://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            kill_tree(process)

    def scheduler(self) -> subprocess.Popen[bytes]:
        return self._start("scheduler", "--port", self._port)

    def worker(self, *options: str, **environment: str) -> subprocess.Popen[bytes]:
        folder = ("--local-directory", str(self._folder))
        return self._start("worker", self.address, *folder, *options, **environment)

    def has_said(self, text: str) -> bool:
        return text in (self._folder / "dask.log").read_text()

    def _start(self, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        with (self._folder / "dask.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "dask", *command, "--host", "127.0.0.1", "--no-dashboard"],
                env=os.environ | {"PYTHONPATH": str(REPOSITORY)} | environment,
                stdout=log,
                stderr=log,
            )
        self._processes.append(process)
        return process


def kill_tree(process: "subprocess.Popen[bytes]") -> None:
    """`kill -9` to a process and to all that it has started."""
    with contextlib.suppress(psutil.NoSuchProcess):
        children = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
    process.wait()


class Noting:
    """An objective that does what a trial's `action` says, and notes in files where that was."""

    def __init__(self, folder: Path, seconds: float = 0.0) -> None:
        self._folder = folder
        self._seconds = seconds

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._note("arrived", os.getpid())

    def __call__(self, trial: Trial, _report: Report | None = None) -> Trial:
        self._note("began", os.getpid())
        match trial.params["action"]:
            case "die":
                os.kill(os.getpid(), signal.SIGKILL)
            case "memory":
                raise MemoryError
        self._note("now", 1)
        time.sleep(self._seconds)
        self._note("now", -1)
        return replace(trial, state="COMPLETE", value=float(trial.params["number"]))

    def noted(self, name: str) -> list[int]:
        path = self._folder / name
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    def most_at_once(self) -> int:
        running = most = 0
        for change in self.noted("now"):
            running += change
            most = max(most, running)
        return most

    def _note(self, name: str, what: int) -> None:
        with (self._folder / name).open("a") as file:
            file.write(f"{what}\n")
