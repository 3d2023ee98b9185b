"""What a benchmark finds: lines of ours beside a limit, and commands timed in turn."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from math import isnan
from pathlib import Path
from statistics import median
from typing import Literal

Scale = Literal["quick", "full"]
"""quick: minutes for all benchmarks, at most 10^6 rows; full: hours, at the sizes of the aims."""


@dataclass(frozen=True)
class Line:
    """One line of the table of `python -m benchmarks`.

    Attributes:
        what: is measured, with its size: "prepare, 10^6 rows of CSV".
        unit: of ours and limit: "s", "ms", "bytes a row".
        aim: the largest ratio of ours to the limit; without a limit, the largest value of ours.
        ours: what ours takes; None: not run.
        limit: what the bare work takes; None: there is no such thing.
        against: what the limit is of: "Polars: scan, sort, write".
        note: why it was not run, or what else a reader must know.
    """

    what: str
    unit: str
    aim: float
    ours: float | None = None
    limit: float | None = None
    against: str = ""
    note: str = ""

    @property
    def compared(self) -> float | None:
        """What is held against the aim: the ratio, or ours where there is no limit."""
        if self.ours is None or self.limit is None:
            return self.ours
        return self.ours / self.limit

    @property
    def holds(self) -> bool | None:
        """Whether the aim is reached; None: not run, or not counted on this system."""
        if self.compared is None or isnan(self.compared):
            return None
        return self.compared <= self.aim


@dataclass(frozen=True)
class Text:
    """What a benchmark has found besides its lines.

    Attributes:
        name: of the marks in docs/benchmarks.md between which it goes.
        markdown: a table, for example.
    """

    name: str
    markdown: str


@dataclass(frozen=True)
class Picture:
    """A file of docs/images.

    Attributes:
        name: of the file.
        content: its bytes.
    """

    name: str
    content: bytes


Found = Line | Text | Picture
"""What `lines` of a module may yield."""


@dataclass(frozen=True)
class Cost:
    """Of one run of a command; times are those of its children too.

    Attributes:
        wall: seconds.
        cpu: seconds of user and system time; NaN on Windows, which does not count them so.
        peak: bytes of the largest process among it and its children; likewise.
    """

    wall: float
    cpu: float
    peak: float


LAUNCHER = """
import json, subprocess, sys, time
begun = time.perf_counter()
status = subprocess.call(sys.argv[1:], stdout=sys.stderr)
wall = time.perf_counter() - begun
try:
    import resource
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu, peak = used.ru_utime + used.ru_stime, used.ru_maxrss
except ImportError:
    cpu = peak = float("nan")
print(json.dumps([status, wall, cpu, peak]))
"""
"""A small program starts the command: the peak of a process is at least that of its parent."""


def cost(command: Sequence[str], folder: Path, env: Mapping[str, str] | None = None) -> Cost:
    """Run a command.

    Args:
        command: and its arguments.
        folder: it runs in.
        env: added to the variables of this process.

    Raises:
        SystemExit: if it fails, with what it printed.
    """
    log = folder / "benchmark.log"
    with log.open("wb") as output:
        measured = subprocess.run(
            [sys.executable, "-I", "-S", "-c", LAUNCHER, *command],
            cwd=folder,
            env={**os.environ, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=output,
            check=True,
        ).stdout
    status, wall, cpu, peak = json.loads(measured)
    if status:
        printed = log.read_text(errors="replace")
        raise SystemExit(f"{' '.join(command)}: status {status}\n{printed}")
    return Cost(wall, cpu, peak * (1 if sys.platform == "darwin" else 1024))


def timed(run: Callable[[], object], count: int = 1) -> Cost:
    """Of one of the `count` things that a call in this process does; without its memory."""
    begun, before = time.perf_counter(), time.process_time()
    run()
    cpu, wall = time.process_time() - before, time.perf_counter() - begun
    return Cost(wall / count, cpu / count, float("nan"))


def missing(*packages: str) -> str:
    """Why what needs these cannot be run; empty if all are installed."""
    absent = (f"{name} is not installed" for name in packages if find_spec(name) is None)
    return next(absent, "")


def in_turn(runs: Mapping[str, Callable[[], Cost]], rounds: int = 3) -> dict[str, Cost]:
    """Medians of each run's costs, taken in turn so that noise meets all of them alike."""
    found = [{name: run() for name, run in runs.items()} for _ in range(rounds)]
    return {
        name: Cost(
            *(
                median(getattr(costs[name], field) for costs in found)
                for field in ("wall", "cpu", "peak")
            )
        )
        for name in runs
    }
