"""What dask or DuckDB has read and filtered elsewhere leaves `prepare` as the same bytes."""

import json
from pathlib import Path

import pandas as pd
import pytest

from tests.ingest.conftest import Shop
from twotower.common.seeds import derive_seed
from twotower.ingest.data_profile import PROFILE

SHARE = 0.5
USERS = 60


@pytest.fixture
def raw(shop: Shop, tmp_path: Path) -> Path:
    """Daily exports in a folder, of which `shop` has those that `prepare` may read itself."""
    shop.data |= {"users": {}, "items": {}, "sample": SHARE}
    for path in shop.root.iterdir():
        path.unlink()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for day in range(1, 13):
        rows = [
            f"u{7 * n * day % USERS},{n * n % 19},2024-01-{day:02} {n % 24:02}:00:00,"
            f"{('view', 'click', 'bot')[n % 3]}"
            for n in range(60)
        ]
        text = "\n".join(["user_id,item_id,timestamp,event", *rows, ""])
        (elsewhere / f"{day}.csv").write_text(text)
        kept = "\n".join(line for line in text.splitlines() if not line.endswith(",bot"))
        shop.write(f"interactions/{day}.csv", f"{kept}\n")
    return elsewhere


def prepared(shop: Shop) -> dict[str, bytes]:
    """All files; without what the profile counts in all rows that were read."""
    shop.run()
    profile = json.loads((shop.output / PROFILE).read_text())
    assert profile.pop("events").keys() == {"view", "click"}
    (shop.output / PROFILE).write_text(json.dumps(profile))
    files = (path for path in shop.output.rglob("*") if path.is_file())
    return {path.relative_to(shop.output).as_posix(): path.read_bytes() for path in files}


def emptied(folder: Path) -> Path:
    for path in folder.iterdir():
        path.unlink()
    return folder


def kept(rows: pd.DataFrame) -> pd.DataFrame:
    """Those of the users that `data.sample` keeps."""
    return rows[[derive_seed(42, "sample", user) < SHARE * 2**32 for user in rows["user_id"]]]


def test_from_dask(shop: Shop, raw: Path) -> None:
    dask = pytest.importorskip("dask.dataframe")
    distributed = pytest.importorskip("distributed")
    want = prepared(shop)
    with distributed.Client(processes=False, dashboard_address=None):
        days = sorted(raw.iterdir(), key=lambda path: int(path.stem))
        events = dask.read_csv(days)
        events = events[events["event"] != "bot"]
        events = events.map_partitions(kept, meta=events)
        events.to_parquet(emptied(shop.root / "interactions"), write_index=False)
    assert prepared(shop) == want


def test_from_duckdb(shop: Shop, raw: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    want = prepared(shop)
    days = [f"{raw}/{day}.csv" for day in range(1, 13)]
    emptied(shop.root / "interactions")
    duckdb.sql(
        f"COPY (SELECT * FROM read_csv({days}) WHERE event <> 'bot') "  # noqa: S608
        f"TO '{shop.root}/interactions/all.parquet' (FORMAT parquet)"
    )
    assert prepared(shop) == want
