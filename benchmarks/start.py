"""What a small shop waits for: the start of a command, a search, the whole pipeline.

A shop of 100 users, 50 items and 5,000 rows, drawn at random, spends its time on imports. Its
search of 20 trials is measured against the libraries that it needs and twice the bare training;
search and pipeline are measured against a script as this project replaces them.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd

from benchmarks.measured import Cost, Line, Scale, cost, in_turn
from benchmarks.project import REPOSITORY, forget_search, project, run_stage

ROUNDS = {"quick": 1, "full": 3}
USERS, ITEMS, EVENTS = 100, 50, 5_000
ITEM_IDS = 1_001
"""The first; a shop's ids rarely begin at 0, and a script's tables are as long as the largest."""
START, YEAR = 1_735_689_600, 365 * 24 * 3600
SHOP = f"a shop of {EVENTS:,} rows"


def write_shop(folder: Path) -> Path:
    """Interactions at random within a year; the file."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "user_id": rng.integers(1, USERS + 1, EVENTS),
            "item_id": ITEM_IDS + rng.integers(0, ITEMS, EVENTS),
            "timestamp": np.sort(START + rng.integers(0, YEAR, EVENTS)),
        }
    )
    folder.mkdir(parents=True)
    frame.to_csv(folder / "interactions.csv", index=False)
    return folder / "interactions.csv"


def lines(scale: Scale) -> Iterator[Line]:
    """See the module; seconds are those of the clock."""
    with tempfile.TemporaryDirectory(prefix="start-") as place:
        bench = _Bench(Path(place))
        took = in_turn({"help": bench.help}, 3)
        yield Line("twotower --help", "s", 0.5, took["help"].wall)
        bench.search()  # the bare trials are those that it tries
        took = in_turn(
            {
                "search": bench.search,
                "bare": bench.bare,
                "repro": bench.repro,
                "script": bench.script,
            },
            ROUNDS[scale],
        )
        bare, imports = median(bench.trials), median(bench.imports)
        yield Line(
            f"hpo, 20 trials, {SHOP}",
            "s",
            1,
            took["search"].wall,
            imports + 2 * bare,
            f"its libraries ({imports:.1f} s) and twice the bare trials ({bare:.1f} s)",
        )
        for name, what, aim in (("search", "hpo", 0.25), ("repro", "dvc repro", 0.25)):
            yield Line(
                f"{what}, 20 trials, {SHOP}",
                "s",
                aim,
                took[name].wall,
                took["script"].wall,
                "a script with a Python-level dataset, users ranked one at a time",
            )


class _Bench:
    """The commands, each in a folder that it finds as if it had not run before."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shop = write_shop(folder / "shop")
        self._project = project(folder / "search", self._shop.parent)
        run_stage("prepare", self._project)
        self.trials: list[float] = []
        self.imports: list[float] = []

    def search(self) -> Cost:
        """Stage hpo of prepared data."""
        forget_search(self._project)
        return run_stage("hpo", self._project)

    def repro(self) -> Cost:
        """`dvc repro` in a new project."""
        target = self._folder / "project"
        shutil.rmtree(target, ignore_errors=True)
        self._python("-m", "twotower", "init", str(target), "--data", str(self._shop.parent))
        return self._python("-m", "dvc", "repro", folder=target)

    def bare(self) -> Cost:
        """Libraries and trials alone; their seconds go to `imports` and `trials`."""
        results = self._project / "hpo_results.json"
        found = self._python("-m", "benchmarks.bare_trials", str(self._shop), str(results))
        self.trials.append(float((self._folder / "benchmark.log").read_text().split()[-1]))
        self.imports.append(found.wall - self.trials[-1])
        return found

    def script(self) -> Cost:
        """What this project replaces."""
        return self._python("-m", "benchmarks.replaced_script", str(self._shop))

    def help(self) -> Cost:
        """Of the whole command."""
        return self._python("-m", "twotower", "--help")

    def _python(self, *arguments: str, folder: Path | None = None) -> Cost:
        """Run this Python, which is the one that stages find too, with one thread."""
        environment = {
            "PYTHONPATH": str(REPOSITORY),
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "OMP_NUM_THREADS": "1",
        }
        return cost([sys.executable, *arguments], folder or self._folder, environment)
