"""How time and memory of each stage grow: with interactions, with trials, and with items.

Of a shop whose users grow in number while its catalogue stays, with one trial, of the default model
at three epochs; of a search of trials that take milliseconds; and of recommendations for a thousand
users.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import log
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import growth_report
from benchmarks.growth_report import Curve, Point
from benchmarks.measured import Cost, Found, Line, Scale, Text, cost
from benchmarks.project import REPOSITORY, project, run_stage
from benchmarks.serving import random_model
from twotower.plots.pictures import BrowserError

ITEMS, EVENTS_OF_A_USER = 5000, 20
YEAR = 365 * 24 * 3600
STAGES = ("prepare", "hpo", "refit", "visualize")
SHORT = {"hpo.n_trials": 1, "train.epochs": 3, "refit.seeds": 1, "visualize.static": "never"}
TRIVIAL: Mapping[str, Any] = {
    "train.epochs": 1,
    "hpo.include_defaults": False,
    "hpo.search_space": {
        "lr": {"type": "float", "low": 1e-4, "high": 0.1, "log": True},
        "dim": {"type": "int", "low": 4, "high": 8},
        "temperature": {"type": "float", "low": 0.05, "high": 1.0},
    },
}
"""A search whose trials take milliseconds."""
USERS, DIM = 1000, 64
"""Of the models that recommend."""
AIM = 1.2
"""n log n, and what a cache that no longer holds it all adds."""


@dataclass(frozen=True)
class Size:
    """How far each curve goes, by scale: tenfold from the first to the last."""

    rows: tuple[int, int]
    trials: tuple[int, int]
    items: tuple[int, int]


SIZES: dict[Scale, Size] = {
    "quick": Size(rows=(10**4, 10**5), trials=(10, 100), items=(10**4, 10**5)),
    "full": Size(rows=(10**4, 10**7), trials=(10, 1000), items=(10**4, 10**7)),
}


def tenfold(ends: tuple[int, int]) -> Iterator[int]:
    """From the first to the last."""
    size, last = ends
    while size <= last:
        yield size
        size *= 10


def write_shop(folder: Path, rows: int, items: int = ITEMS) -> Path:
    """Write interactions.parquet: users uniform, items of a long-tailed popularity, a year."""
    rng = np.random.default_rng(0)
    popularity = (np.arange(items) + 10.0) ** -0.8
    columns = {
        "user_id": rng.integers(0, rows // EVENTS_OF_A_USER, rows),
        "item_id": rng.choice(items, rows, p=popularity / popularity.sum()),
        "timestamp": 1_700_000_000 + np.sort(rng.integers(0, YEAR, rows)),
    }
    folder.mkdir()
    pq.write_table(pa.table(columns), folder / "interactions.parquet")
    return folder


def of_rows(folder: Path, rows: int) -> dict[str, Cost]:
    """Of each stage, at so many interactions."""
    place = project(folder / f"{rows}-rows", write_shop(folder / f"{rows}-raw", rows), SHORT)
    return {stage: run_stage(stage, place) for stage in STAGES}


def of_trials(folder: Path, trials: int) -> dict[str, Cost]:
    """Of a search of so many trials."""
    raw = write_shop(folder / f"{trials}-trials-raw", 2000, items=50)
    place = project(folder / f"{trials}-trials", raw, {**TRIVIAL, "hpo.n_trials": trials})
    run_stage("prepare", place)
    return {"hpo, trials": run_stage("hpo", place)}


def of_items(folder: Path, items: int) -> dict[str, Cost]:
    """Of recommendations for a thousand users, from so many items, to a file."""
    model = random_model(folder / f"{items}-items", USERS, items, DIM)
    command = ["-m", "twotower", "recommend", "--users", "all", "--artifacts", str(model),
               "--out", str(folder / "recommended.parquet")]  # fmt: skip
    return {"recommend": cost([sys.executable, *command], folder, {"PYTHONPATH": str(REPOSITORY)})}


def curves(scale: Scale, folder: Path) -> Iterator[Curve]:
    """All of them, each as soon as it is measured to its end."""
    ways: list[tuple[str, Callable[[Path, int], dict[str, Cost]], tuple[int, int]]] = [
        ("interactions", of_rows, SIZES[scale].rows),
        ("trials", of_trials, SIZES[scale].trials),
        ("items", of_items, SIZES[scale].items),
    ]
    for grows, run, ends in ways:
        costs = {size: run(folder, size) for size in tenfold(ends)}
        for name in costs[ends[0]]:
            points = [Point(size, found[name]) for size, found in costs.items()]
            yield Curve(name.partition(",")[0], grows, points)


def line(curve: Curve) -> Line:
    """Growth of processor time over the last tenfold, beside n log n."""
    before, last = curve.points[-2:]
    return Line(
        f"{curve.name}, processor time from {before.size:,} to {last.size:,} {curve.grows}",
        "times",
        aim=AIM,
        ours=last.cost.cpu / before.cost.cpu,
        limit=last.size * log(last.size) / (before.size * log(before.size)),
        against="n log n",
    )


def lines(scale: Scale) -> Iterator[Found]:
    """A line a curve; a table of all points, the largest jobs, and the plot."""
    if sys.platform == "win32":
        note = "Windows does not say what a command that has ended took"
        yield Line("growth", "times", AIM, note=note)
        return
    found: list[Curve] = []
    with tempfile.TemporaryDirectory() as name:
        for curve in curves(scale, Path(name)):
            found.append(curve)
            yield line(curve)
    yield Text("growth by size", growth_report.by_size(found))
    if scale == "full":  # fewer rows say little of the bytes of one
        yield Text("largest jobs", growth_report.largest_jobs(found))
    try:
        yield growth_report.picture(found)
    except BrowserError as error:
        print(f"no plot of growth: {error}", file=sys.stderr)
