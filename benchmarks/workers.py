"""How much faster two workers are than one, with one thread a trial, on an invented shop.

A search's seconds are those from the start of its first trial to the end of its last, as the live
study holds them: what comes before is the start of Python, which benchmarks/start.py measures.
"""

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from benchmarks.measured import Cost, Line, Scale, in_turn
from benchmarks.project import forget_search, project, run_stage
from benchmarks.shops import SHOPS, write_shop

SHOP = "dense"
TRIALS = {"quick": 12, "full": 60}
ROUNDS = {"quick": 1, "full": 3}


def lines(scale: Scale) -> Iterator[Line]:
    """See the module."""
    with tempfile.TemporaryDirectory(prefix="workers-") as place:
        folder = Path(place)
        write_shop(SHOPS[SHOP], folder / "shop")
        keys = {"hpo.n_trials": TRIALS[scale], "train.threads": 1}
        project(folder / "search", folder / "shop", keys)
        run_stage("prepare", folder / "search")
        took = in_turn({str(n): _search(folder, n, keys) for n in (1, 2)}, ROUNDS[scale])
        yield Line(
            f"search of {TRIALS[scale]} trials by two workers",
            "s",
            1 / 1.8,
            took["2"].wall,
            took["1"].wall,
            "one worker",
        )


def _search(folder: Path, workers: int, keys: dict[str, int]) -> Callable[[], Cost]:
    """A search from its beginning, of whose seconds only those of trials count."""

    def run() -> Cost:
        place = project(folder / "search", folder / "shop", keys | {"hpo.workers": workers})
        forget_search(place)
        took = run_stage("hpo", place)
        return Cost(seconds(place), took.cpu, took.peak)

    return run


def seconds(folder: Path) -> float:
    """From the first start of a trial to the last end."""
    [path] = folder.glob(".hpo/*/*/study.db")
    with sqlite3.connect(path) as connection:
        query = "select min(datetime_start), max(datetime_complete) from trials"
        first, last = connection.execute(query).fetchone()
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()
