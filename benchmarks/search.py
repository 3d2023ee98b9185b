"""The default search on large data: a sample of the users against all, and all stages in time.

The data is a generated shop: every user has a main and a second group of items, and in a group a
few items are chosen most. Both searches are those of params.yaml with two workers.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.measured import Line, Scale
from benchmarks.project import project, run_stage

STAGES = ("prepare", "hpo", "refit", "visualize")
WORKERS = {"hpo.workers": 2}
START, YEAR = 1_735_689_600, 365 * 86_400
"""Seconds since 1970 of the first event, and until the last."""
ROWS_PER_USER, USERS_PER_ITEM, ITEMS_PER_GROUP = 16, 2, 250
OF_GROUPS = (0.5, 0.25)
"""Share of the choices in the main and in the second group; the others are of any group."""
SKEW = 2.5
"""The place of a chosen item in its group is a uniform draw to this power, as a share of all."""


def write_rows(folder: Path, rows: int, seed: int = 7) -> None:
    """Write interactions.parquet with about so many rows."""
    rng = np.random.default_rng(seed)
    num_users = rows // ROWS_PER_USER
    num_items = num_users // USERS_PER_ITEM
    num_groups = max(4, num_items // ITEMS_PER_GROUP)
    group_of_item = rng.integers(num_groups, size=num_items)
    by_group = np.argsort(group_of_item, kind="stable")
    starts = np.searchsorted(group_of_item[by_group], np.arange(num_groups + 1))
    counts = 3 + rng.geometric(1 / (ROWS_PER_USER - 3), num_users)
    users = np.repeat(np.arange(num_users), counts)
    main, second = (rng.integers(num_groups, size=num_users)[users] for _ in range(2))
    draw = rng.random(len(users))
    others = rng.integers(num_groups, size=len(users))
    groups = np.where(draw < OF_GROUPS[0], main, np.where(draw < sum(OF_GROUPS), second, others))
    sizes = starts[groups + 1] - starts[groups]
    places = (sizes * rng.random(len(users)) ** SKEW).astype(np.int64)
    items = by_group[np.minimum(starts[groups] + places, num_items - 1)]
    times = START + rng.integers(YEAR, size=len(users))
    folder.mkdir(parents=True)
    table = pa.table({"user_id": users, "item_id": items, "timestamp": times})
    pq.write_table(table, folder / "interactions.parquet")


def sampled(rows: int, share: Any, n_trials: int, aim: float) -> Line:
    """The search on a share of the users, and on all."""
    seconds, found = [], []
    with TemporaryDirectory() as temporary:
        data = Path(temporary) / "raw"
        write_rows(data, rows)
        for name, sample in (("sample", share), ("all", None)):
            keys = {**WORKERS, "hpo.n_trials": n_trials, "hpo.sample": sample}
            folder = project(Path(temporary) / name, data, keys)
            run_stage("prepare", folder)
            seconds.append(run_stage("hpo", folder).wall)
            results = json.loads((folder / "hpo_results.json").read_bytes())
            found.append(f"{results['best_trial']['value']:.4f}")
    return Line(
        f"search, {n_trials} trials, {rows:,} rows, hpo.sample: {share}",
        "s",
        aim,
        ours=seconds[0],
        limit=seconds[1],
        against="the same on the rows of all users",
        note=f"recall_at_10 of the best, trained on all: {found[0]} against {found[1]}",
    )


def pipeline(rows: int, aim: float) -> Line:
    """All stages, as `dvc repro` runs them."""
    with TemporaryDirectory() as temporary:
        data = Path(temporary) / "raw"
        write_rows(data, rows)
        folder = project(Path(temporary) / "project", data, WORKERS)
        seconds = {name: run_stage(name, folder).wall for name in STAGES}
    parts = ", ".join(f"{name} {taken:.0f}" for name, taken in seconds.items())
    return Line(f"all stages, {rows:,} rows", "s", aim, ours=sum(seconds.values()), note=parts)


def lines(scale: Scale) -> Iterator[Line]:
    """What is measured; in full, it takes hours."""
    yield sampled(10**5, 0.25, n_trials=10, aim=0.8)
    if scale == "full":
        yield sampled(10**6, "auto", n_trials=20, aim=0.7)
        yield pipeline(10**6, aim=600)
        yield pipeline(10**7, aim=3600)
