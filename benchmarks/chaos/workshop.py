"""A tiny shop in a repository of its own, in which `dvc repro` takes seconds, and copies of it."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil

from benchmarks.chaos.stored import stored_trials
from tests.pipeline import project as tests_project
from twotower.common.paths import LOCK

SHOP = {"num_users": 200, "num_items": 60, "per_user": 8}
KEYS: dict[str, Any] = {"hpo.n_trials": 6, "hpo.workers": 2, "hpo.tries": 100, "refit.seeds": 2}
TIMEOUT = 120.0
"""Seconds after which a command hangs; undisturbed, none takes a fifth of it."""


@dataclass(frozen=True)
class Ended:
    """A command that has ended.

    Attributes:
        status: negative: of the signal that ended it.
        output: standard output and error, in the order in which they came.
    """

    status: int
    output: str

    @property
    def errors(self) -> list[str]:
        """The lines in which our programs say why they ended."""
        return [line for line in self.output.splitlines() if line.startswith("error: ")]


class Project:
    """A repository whose commands may be disturbed.

    Attributes:
        root: its folder.
        environment: variables of its commands; may be changed.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.repository = tests_project.Project(root)
        self.environment = self.repository.environment | {"OMP_NUM_THREADS": "1"}
        self._logs: dict[int, Path] = {}

    def start(self, *command: str) -> "subprocess.Popen[bytes]":
        """Start a command in a process group of its own; `ended` has what it prints."""
        log = self.root.parent / f"{self.root.name}-{len(self._logs)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=self.root,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._logs[process.pid] = log
        return process

    def ended(self, process: "subprocess.Popen[bytes]", timeout: float = TIMEOUT) -> Ended:
        """Wait for a command that was started here.

        Raises:
            AssertionError: if it hangs; it is killed.
        """
        try:
            status = process.wait(timeout)
        except subprocess.TimeoutExpired:
            kill_group(process)
            msg = f"{process.args} hung for {timeout:g} s; so far:\n{self.output(process)}"
            raise AssertionError(msg) from None
        return Ended(status, self.output(process))

    def output(self, process: "subprocess.Popen[bytes]") -> str:
        """What it has printed so far."""
        return self._logs[process.pid].read_text(encoding="utf-8", errors="replace")

    def run(self, *command: str, timeout: float = TIMEOUT) -> Ended:
        """Run a command to its end, good or bad.

        Raises:
            AssertionError: if it hangs.
        """
        return self.ended(self.start(*command), timeout)

    def declared(self) -> list[str]:
        """Files and folders that the stages declare as outputs, in the order of the stages."""
        stages = self.repository.stages()
        return [name for stage in stages for name in self.repository.outputs(stage)]

    def digests(self) -> dict[str, str]:
        """SHA-256 by path of every declared output that is there, and of dvc.lock."""
        names = [name for name in [*self.declared(), LOCK.name] if (self.root / name).exists()]
        return self.repository.digests(*names)

    def finished_trials(self) -> dict[int, str]:
        """Number of each finished trial of the live study, and what is stored of it, with times."""
        return stored_trials(self.root / ".hpo")

    def lost(self, trials: Mapping[int, str]) -> list[int]:
        """Which of these finished trials are no longer stored as they were."""
        now = self.finished_trials()
        return [number for number in trials if trials[number] != now.get(number)]

    def processes(self) -> list[psutil.Process]:
        """Those that work in this project; Linux."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.status() != psutil.STATUS_ZOMBIE and self._is_ours(process):
                    found.append(process)
        return found

    def _is_ours(self, process: psutil.Process) -> bool:
        return process.environ().get("PYTHONPATH") == str(self.root)

    def remove(self) -> None:
        """End what still runs in it, and delete it."""
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()
        shutil.rmtree(self.root, ignore_errors=True)
        for log in self._logs.values():
            log.unlink(missing_ok=True)


class Workshop:
    """The shop, before and after an undisturbed `dvc repro`; copies of it are attacked.

    Attributes:
        folder: that holds it and its copies.
        began: when the undisturbed `dvc repro` did, in seconds since 1970.
    """

    def __init__(self, folder: Path, keys: Mapping[str, Any] | None = None) -> None:
        """Make the shop; nothing runs yet.

        Args:
            folder: made if it is missing.
            keys: what differs from FAST of the tests and KEYS, by dotted key of params.yaml.
        """
        if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as in the background of a shell
            signal.signal(signal.SIGINT, signal.default_int_handler)  # what we start must not
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        shop = tests_project.create(folder / "shop", **SHOP)
        for key, value in {**KEYS, **(keys or {})}.items():
            shop.set(key, value)
        shop.commit("A workshop")
        self.began = 0.0
        self._others: dict[str, Workshop] = {}

    @cached_property
    def finished(self) -> Project:
        """A copy in which `dvc repro` has run undisturbed. Not to be changed."""
        project = self.copy("finished")
        self.began = time.time()
        ended = project.run("dvc", "repro", timeout=5 * TIMEOUT)
        if ended.status:
            msg = f"an undisturbed dvc repro fails:\n{ended.output}"
            raise SystemExit(msg)
        project.repository.commit("Lock the pipeline")
        return project

    @cached_property
    def reference(self) -> Mapping[str, str]:
        """SHA-256 by path of what an undisturbed `dvc repro` writes, dvc.lock included."""
        return self.finished.digests()

    def differing(self, project: Project) -> list[str]:
        """Paths that are not what an undisturbed `dvc repro` leaves there."""
        now = project.digests()
        paths = sorted({*now, *self.reference})
        return [path for path in paths if now.get(path) != self.reference.get(path)]

    def copy(self, name: str, *, ran: bool = False) -> Project:
        """A copy that may be changed.

        Args:
            name: of its folder; one of that name is replaced.
            ran: with the state after an undisturbed run, cache and live study included, and
                dvc.lock committed.
        """
        source = self.finished.root if ran else self.folder / "shop"
        target = self.folder / name
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(source, target, symlinks=True)
        return Project(target)

    def other(self, name: str, keys: Mapping[str, Any]) -> "Workshop":
        """A workshop with other parameters, made when it is first asked for."""
        if name not in self._others:
            self._others[name] = Workshop(self.folder / f"workshop-{name}", keys)
        return self._others[name]


@contextlib.contextmanager
def workshop(keys: Mapping[str, Any] | None = None) -> Iterator[Workshop]:
    """A workshop in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="chaos-", ignore_cleanup_errors=True) as folder:
        yield Workshop(Path(folder).resolve(), keys)


def kill_group(process: "subprocess.Popen[bytes]", number: int = signal.SIGKILL) -> None:
    """Signal all processes of a command that `start` has started; none may be left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)
