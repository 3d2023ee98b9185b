"""The prepare stage beside Polars that only scans, sorts by user and time, and writes three files.

Both read the same log of views and purchases in no order: a user for every fifty rows, long-tailed
items. Users are integers, items text.
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from benchmarks.measured import Cost, Line, Scale, cost, in_turn, missing
from benchmarks.project import run_stage

CHUNK = 1_000_000
"""Rows that are made at a time."""
EVENTS = ("view", "click", "cart", "purchase")
START, SECONDS = 1_700_000_000, 60_000_000
"""Of the log: its first second, and its length."""
SIZES: dict[Scale, tuple[tuple[str, int], ...]] = {
    "quick": (("csv", 10**6), ("parquet", 10**6)),
    "full": (("csv", 10**7), ("parquet", 10**7), ("parquet", 10**8)),
}
AIM, AIM_OF_MOST = 2.5, 3.0
"""Times of Polars, and for 10^8 rows."""
BYTES_A_ROW = 60.0
FEW = 10**6
"""Rows beyond which the memory of each is measured."""
ONE_THREAD = {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""The second is Arrow's, too."""
POLARS = """
import sys
import polars as pl

scan = pl.scan_csv if sys.argv[1].endswith(".csv") else pl.scan_parquet
rows = scan(sys.argv[1]).collect().sort(["user_id", "timestamp"])
bounds = [0, int(.7 * len(rows)), int(.9 * len(rows)), len(rows)]
for name, start, stop in zip("abc", bounds, bounds[1:]):
    rows[start:stop].write_parquet(name + ".parquet", compression="zstd")
"""


def lines(scale: Scale) -> Iterator[Line]:
    """CPU seconds against Polars, and bytes a row at the peak, by format and number of rows."""
    for suffix, num_rows in SIZES[scale]:
        what = f"prepare, 10^{len(str(num_rows)) - 1} rows of {suffix}"
        with _ground(suffix, num_rows) as folder:
            runs: dict[str, Callable[[], Cost]] = {"ours": partial(_stage, folder)}
            if not (note := missing("polars")):
                runs["polars"] = partial(_polars, folder)
            costs = in_turn(runs, rounds=1 if num_rows >= 10**8 else 3)
        ours, polars = costs["ours"], costs.get("polars")
        yield Line(
            what,
            unit="CPU s",
            aim=AIM_OF_MOST if num_rows >= 10**8 else AIM,
            ours=ours.cpu if polars else None,
            limit=polars.cpu if polars else None,
            against="Polars: scan, sort, write",
            note=note or f"at most {ours.peak / 1e9:.1f} GB",
        )
        yield _memory(f"{what}: memory", suffix, num_rows, ours.peak)


def _memory(what: str, suffix: str, num_rows: int, peak: float) -> Line:
    """What each row adds beyond those by which Python, its libraries and buffers take the most."""
    line = Line(what, unit="bytes a row", aim=BYTES_A_ROW)
    if num_rows <= FEW:
        return replace(line, note=f"measured beyond {FEW:,} rows")
    with _ground(suffix, FEW) as folder:
        fixed = _stage(folder).peak
    note = f"beyond {FEW:,} rows, which take {fixed / 1e9:.1f} GB"
    return replace(line, ours=(peak - fixed) / (num_rows - FEW), note=note)


@contextmanager
def _ground(suffix: str, num_rows: int) -> Iterator[Path]:
    """A folder with a log and parameters."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_log(folder / "raw" / f"interactions.{suffix}", num_rows)
        (folder / "params.yaml").write_text("data: {root: raw}\n", encoding="utf-8")
        yield folder


def _stage(folder: Path) -> Cost:
    return run_stage("prepare", folder, env=ONE_THREAD)


def _polars(folder: Path) -> Cost:
    [log] = (folder / "raw").iterdir()
    return cost([sys.executable, "-c", POLARS, str(log)], folder, ONE_THREAD)


def write_log(path: Path, num_rows: int) -> None:
    """Write such a log as CSV or Parquet, by the name of the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = batches(num_rows)
    first = next(made)
    plain = pa_csv.WriteOptions(quoting_style="none")
    with (
        pa_csv.CSVWriter(path, first.schema, write_options=plain)
        if path.suffix == ".csv"
        else pq.ParquetWriter(path, first.schema)
    ) as file:
        file.write_batch(first)
        for batch in made:
            file.write_batch(batch)


def batches(num_rows: int) -> Iterator[pa.RecordBatch]:
    """A log, some rows at a time; the same ones each time."""
    rng = np.random.default_rng(7)
    num_users, num_items = max(num_rows // 50, 2), max(min(num_rows // 100, 1_000_000), 2)
    names = pa.array([f"item-{number:07d}" for number in rng.permutation(num_items)])
    events = pa.array(EVENTS)
    for start in range(0, num_rows, CHUNK):
        size = min(CHUNK, num_rows - start)
        items = (num_items ** rng.random(size)).astype(np.int64) - 1  # the n-th as often as 1/n
        kinds = rng.choice(len(EVENTS), size, p=(0.8, 0.1, 0.06, 0.04))
        yield pa.record_batch(
            {
                "user_id": rng.integers(1, num_users + 1, size),
                "item_id": names.take(pa.array(items)),
                "timestamp": rng.integers(START, START + SECONDS, size),
                "event": events.take(pa.array(kinds)),
            }
        )
