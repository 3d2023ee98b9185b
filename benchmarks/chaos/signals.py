"""Whom a signal hits, and when: the tables that a chain of kills draws from."""

import contextlib
import os
import random
import re
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.chaos.workshop import Project, kill_group
from twotower.common.choices import Table
from twotower.common.paths import LOCK

STAGES = ("prepare", "hpo", "refit", "visualize")
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
RUNS_DVC = re.compile(r"\bdvc\b.* (repro|exp|queue-worker|exec-run)\b")


@dataclass(frozen=True)
class Victim:
    """Who is hit.

    Attributes:
        find: of the processes of a run; None: its whole process group.
        ends: whether the run ends of it, for a signal; else it goes on.
    """

    name: str
    find: Callable[[list[psutil.Process]], list[psutil.Process]] | None
    ends: Callable[[int], bool] = lambda _number: True


def dvc_of(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Of DVC, whatever started them."""
    return [one for one in processes if RUNS_DVC.search(command(one))]


def stage_of(processes: list[psutil.Process]) -> list[psutil.Process]:
    """The stages that run, not their workers."""
    ours = [one for one in processes if "stages/" in command(one)]
    return [one for one in ours if parent(one) not in {other.pid for other in ours}]


def workers_of(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Workers of the stages, multiprocessing's resource tracker not among them."""
    stages = {one.pid for one in stage_of(processes)}
    children = [one for one in processes if parent(one) in stages]
    return [one for one in children if "resource_tracker" not in command(one)]


def command(process: psutil.Process) -> str:
    """Its command line; empty if it has ended."""
    with contextlib.suppress(psutil.Error):
        return " ".join(process.cmdline())
    return ""


def parent(process: psutil.Process) -> int:
    """Of whom it is the child; 0 if it has ended."""
    with contextlib.suppress(psutil.Error):
        return int(process.ppid())
    return 0


VICTIMS = Table(
    "victim",
    Victim("group", None),
    # DVC does not listen to Ctrl-C while a stage runs, which gets it as well.
    Victim("dvc", dvc_of, lambda number: number != signal.SIGINT),
    Victim("stage", stage_of),
    Victim("worker", workers_of, lambda _number: False),
)


@dataclass(frozen=True)
class Event:
    """Something that can be seen in the folder of a project.

    Attributes:
        patterns: of files of which one appears, or changes.
        stages: in which that happens.
        by_dvc: whether DVC does it, so that it does not happen without.
    """

    name: str
    patterns: tuple[str, ...]
    stages: tuple[str, ...] = STAGES
    by_dvc: bool = False

    def seen(self, project: Project) -> dict[Path, int]:
        """When each of the files was last written, in nanoseconds."""
        found = {}
        for pattern in self.patterns:
            for path in project.root.glob(pattern):
                with contextlib.suppress(OSError):
                    found[path] = path.stat().st_mtime_ns
        return found


EVENTS = Table(
    "event",
    Event("prepared data", ("data/prepared/*", "metrics/data.json"), ("prepare",)),
    Event("a study", (".hpo/*/*/study.db", ".hpo/*/*/study.db-journal"), ("hpo",)),
    Event("a trial", (".hpo/*/*/trials/*", ".hpo/*/*/study.db"), ("hpo",)),
    Event("the data of workers", (".hpo/*/*/workers/*",), ("hpo",)),
    Event("results", ("hpo_study.db", "hpo_results.json", "metrics/*validation.json"), ("hpo",)),
    Event("a model", (".artifacts_best", ".artifacts_best/*", "metrics/test.json"), ("refit",)),
    Event("a picture", ("plots/*.html", "report.html"), ("visualize",)),
    Event("something half-written", (".tmp-*", "*/.tmp-*", "metrics/headline/.tmp-*")),
    Event("the lock of DVC", (LOCK.name,), by_dvc=True),
)


def await_moment(
    project: Project,
    run: "subprocess.Popen[bytes]",
    chance: random.Random,
    wall: float,
    events: Sequence[Event],
) -> str:
    """Wait for a random moment of a run, or an event in it; what it was.

    Args:
        project: in which it runs.
        run: that may end before.
        chance: draws the moment.
        wall: seconds that the run takes, undisturbed.
        events: that may happen.
    """
    until = time.monotonic() + chance.uniform(0, 1) * wall
    if chance.random() < 0.6:
        while time.monotonic() < until and run.poll() is None:
            time.sleep(0.005)
        return "a moment"
    event = chance.choice(events)
    if not await_event(project, run, event, wall):
        return "a moment"
    time.sleep(chance.choice([0, 0, 0.001, 0.01, 0.1]))
    return event.name


def await_event(
    project: Project, run: "subprocess.Popen[bytes]", event: Event, timeout: float
) -> bool:
    """Wait for an event in a run; whether it came."""
    before, until = event.seen(project), time.monotonic() + timeout
    while time.monotonic() < until and run.poll() is None:
        if event.seen(project) != before:
            return True
        time.sleep(0.001)
    return False


def hit(project: Project, run: "subprocess.Popen[bytes]", victim: Victim, number: int) -> bool:
    """Signal the victim; whether there is one."""
    if victim.find is None:
        kill_group(run, number)
        return True
    for one in victim.find(project.processes())[:1]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(one.pid, number)
            return True
    return False
