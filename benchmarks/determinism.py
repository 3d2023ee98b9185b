"""One search in many ways: every row of the table must show the same digests.

    python -m benchmarks.determinism                     # everything that this machine can do
    python -m benchmarks.determinism --only kills        # rows whose name holds a word
    python -m benchmarks.determinism --python PATH       # and rows for another interpreter
    python -m benchmarks.determinism --only CPU --trials 10

Each row is `stages/hpo.py` as a user runs it, on the sample data, in a folder of its own. A digest
is the SHA-256 of a file: the study snapshot, the results, the trials table. Rows for another
interpreter may differ in the snapshot, which holds library versions, but not in the trials.

Rows for another CPU see it by other_cpu.c. Those without `portable: true` may differ in all files;
what is told of them is how many trials propose the same, and the largest difference of a metric.
"""

import argparse
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from benchmarks import other_cpu
from benchmarks.project import REPOSITORY, prepared_project, project
from tests.search.store.server import Server, running
from twotower.common.portable import PINS

FILES = ("hpo_study.db", "hpo_results.json", "metrics/hpo_trials.csv")
TRIALS = 50
KILLS = 24
"""Of each row that is killed; which process is killed when is drawn at random."""
KILL_WINDOW = (2.0, 9.0)
"""Seconds after the start within which a kill falls: loading, searching, writing."""


@dataclass
class Ground:
    """A folder in which searches of one row run."""

    folder: Path
    trials: int = TRIALS
    python: str = sys.executable
    hash_seed: str = "0"
    portable: bool = True
    preloaded: Mapping[str, str] = field(default_factory=dict)  # so that another CPU is seen

    def search(self, **hpo: Any) -> subprocess.Popen[bytes]:
        """Begin a search with these keys of `hpo`."""
        keys = {"portable": self.portable, "hpo.n_trials": self.trials, "train.epochs": 3}
        project(self.folder, keys={**keys, **{f"hpo.{key}": value for key, value in hpo.items()}})
        ours = {"DVC_ROOT", *PINS}  # the tests, of which we import a part, pin this process
        environment = {
            **{name: value for name, value in os.environ.items() if name not in ours},
            **self.preloaded,
            "PYTHONPATH": str(REPOSITORY),
            "PYTHONHASHSEED": self.hash_seed,
        }
        with self.log.open("wb") as output:
            return subprocess.Popen(
                [self.python, REPOSITORY / "stages" / "hpo.py"],
                cwd=self.folder,
                env=environment,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def log(self) -> Path:
        """What the last search printed."""
        return self.folder / "search.log"

    def finish(self, **hpo: Any) -> None:
        """Search to the end."""
        if code := self.search(**hpo).wait():
            msg = f"the search ended with status {code}\n{self.log.read_text(errors='replace')}"
            raise SystemExit(msg)

    def digests(self) -> list[str]:
        """One for each of FILES."""
        return [hashlib.sha256((self.folder / name).read_bytes()).hexdigest() for name in FILES]


def straight(**hpo: Any) -> Callable[[Ground], str]:
    """A row that runs undisturbed."""

    def run(ground: Ground) -> str:
        ground.finish(**hpo)
        return ""

    return run


def grown(ground: Ground) -> str:
    """A row that begins with fewer trials."""
    ground.finish(n_trials=ground.trials * 2 // 5, workers=2)
    ground.finish(workers=2)
    return f"{ground.trials * 2 // 5}, then {ground.trials}"


def from_snapshot(ground: Ground) -> str:
    """A row whose live study is lost half-way, as in a fresh clone after `dvc pull`."""
    ground.finish(n_trials=ground.trials * 2 // 5)
    shutil.rmtree(ground.folder / ".hpo")
    ground.finish()
    return f"{ground.trials * 2 // 5}, live study deleted, then {ground.trials}"


def nothing() -> dict[str, Any]:
    """What a search that begins anew needs, if its study is in the folder."""
    return {}


def killed(
    victims: str, seed: int, fresh: Callable[[], dict[str, Any]] = nothing, **hpo: Any
) -> Callable[[Ground], str]:
    """A row in which processes are killed at random moments, and the search run again.

    Args:
        victims: driver, worker or group.
        seed: of the moments.
        fresh: keys of `hpo` for an empty study; asked again when a search has ended before it was
            killed often enough.
        hpo: the other keys.
    """

    def run(ground: Ground) -> str:
        chance = random.Random(seed)  # noqa: S311 - which process is killed when
        kills = runs = 0
        keys = fresh()
        while kills < KILLS:
            process = ground.search(**hpo, **keys)
            runs += 1
            while process.poll() is None and kills < KILLS:
                time.sleep(0.7 if victims == "worker" else chance.uniform(*KILL_WINDOW))
                if process.poll() is None:
                    kills += kill(process, victims)
            if process.wait() == 0 and kills < KILLS:
                shutil.rmtree(ground.folder / ".hpo")
                for name in FILES:
                    (ground.folder / name).unlink()
                keys = fresh()
        ground.finish(**hpo, **keys)
        return f"{kills} kills in {runs} runs"

    return run


def kill(process: subprocess.Popen[bytes], victims: str) -> int:
    """SIGKILL to the driver, to one of its workers, or to all at once; 1 if something was hit."""
    if victims == "group":
        os.killpg(process.pid, signal.SIGKILL)
        return 1
    if victims == "driver":
        process.kill()
        return 1
    # Workers, spawned or forked, not multiprocessing's resource tracker.
    children = psutil.Process(process.pid).children(recursive=True)
    workers = [child for child in children if "resource_tracker" not in " ".join(child.cmdline())]
    if not workers:
        return 0
    workers[0].kill()
    return 1


@contextmanager
def ground(**options: Any) -> Iterator[Ground]:
    """A folder with the prepared sample data."""
    with tempfile.TemporaryDirectory(prefix="determinism-") as name:
        folder = prepared_project(Path(name))
        (folder / "metrics").mkdir()
        yield Ground(folder, **options)


def rows(server: Server | None) -> dict[str, Callable[[Ground], str]]:
    """Name and way of every search in this interpreter."""
    ways: dict[str, Callable[[Ground], str]] = {
        f"{count} worker{'s' * (count != 1)}": straight(workers=count) for count in (1, 2, 4)
    }
    ways["dask, local cluster of 2"] = straight(workers=2, executor="dask")
    ways["grown"] = grown
    ways["from the snapshot"] = from_snapshot
    ways["driver kills"] = killed("driver", seed=1, workers=2)
    ways["worker kills"] = killed("worker", seed=2, workers=2, tries=100)
    ways["group kills"] = killed("group", seed=3, workers=2)
    if server is not None:
        databases = iter(range(1000))

        def fresh() -> dict[str, Any]:
            name = f"study{next(databases)}"
            server.sql(f"CREATE DATABASE {name}")
            return {"storage": server.url(name)}

        ways["PostgreSQL"] = straight(workers=2, **fresh())
        ways["PostgreSQL, driver kills"] = killed("driver", 4, fresh, workers=2)
    return ways


@dataclass(frozen=True)
class Row:
    """A search of the table.

    Attributes:
        compared: the files that must be the same as in the first row.
        options: of its Ground.
    """

    name: str
    way: Callable[[Ground], str]
    compared: tuple[str, ...] = FILES
    options: dict[str, Any] = field(default_factory=dict)


def plan(server: Server | None, pythons: list[str], library: Path | None) -> Iterator[Row]:
    """All rows.

    Args:
        server: of PostgreSQL, if there is one.
        pythons: other interpreters.
        library: of other_cpu.c, if there is one.
    """
    for name, way in rows(server).items():
        yield Row(name, way)
    plain = straight(workers=2)
    yield Row("another hash seed", plain, options={"hash_seed": "1234"})
    for path in pythons:
        yield Row(Path(path).name, plain, FILES[2:], {"python": path})
    yield Row("CPU: this one, not portable", plain, (), {"portable": False})
    if library is None:
        return
    for cpu, name in other_cpu.NAMES.items():
        seen = {"preloaded": other_cpu.variables(library, cpu)}
        yield Row(f"CPU: {name}", plain, options=seen)
        yield Row(f"CPU: {name}, not portable", plain, (), seen | {"portable": False})


def main() -> None:
    """Print the table; end with status 1 if a row differs from the first."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="run the first row and those with this word")
    parser.add_argument("--python", action="append", default=[], help="another interpreter")
    parser.add_argument("--trials", type=int, default=TRIALS, help="of each search")
    arguments = parser.parse_args()
    print(f"{f'search of {arguments.trials} trials':<34} {'study':<9}{'results':<9}{'table':<9} s")
    want: list[str] = []
    differs = False
    with running() as server, tempfile.TemporaryDirectory() as kept:
        first = Path(kept, "first.csv")
        for row in plan(server, arguments.python, other_cpu.compiled(Path(kept))):
            if want and arguments.only not in row.name:
                continue
            began = time.monotonic()
            with ground(trials=arguments.trials, **row.options) as place:
                note = row.way(place)
                digests = place.digests()
                if not want:
                    want = digests
                    shutil.copy(place.folder / FILES[2], first)
                if not row.compared:
                    note = other_cpu.likeness(place.folder / FILES[2], first)
            pairs = zip(FILES, digests, want, strict=True)
            differs |= any(name in row.compared and one != other for name, one, other in pairs)
            shown = " ".join(f"{digest[:8]}" for digest in digests)
            print(f"{row.name:<34} {shown}  {time.monotonic() - began:4.0f}  {note}", flush=True)
    raise SystemExit(differs)


if __name__ == "__main__":
    main()
