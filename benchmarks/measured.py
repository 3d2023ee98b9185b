"""What a benchmark finds: lines of ours beside a limit, and commands timed in turn."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Cost:
    """Of one run of a command; times are those of its children too.

    Attributes:
        wall: seconds.
        cpu: seconds of user and system time.
        peak: bytes of the largest process among it and its children.
    """

    wall: float
    cpu: float
    peak: float


def cost(command: Sequence[str], folder: Path, env: Mapping[str, str] | None = None) -> Cost:
    """Run a command, on Linux or macOS.

    Args:
        command: and its arguments.
        folder: it runs in.
        env: added to the variables of this process.

    Raises:
        SystemExit: if it fails, with what it printed.
    """
    begun = time.perf_counter()
    log = folder / "benchmark.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **(env or {})}, stdout=output, stderr=output
        )
        _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        printed = log.read_text(errors="replace")
        raise SystemExit(f"{' '.join(command)}: status {process.returncode}\n{printed}")
    unit = 1 if sys.platform == "darwin" else 1024
    wall = time.perf_counter() - begun
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss * unit)


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
