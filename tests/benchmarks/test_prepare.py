import pandas as pd
import pytest

from benchmarks import prepare
from benchmarks.measured import Cost
from benchmarks.prepare import write_log


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    monkeypatch.setattr(prepare, "CHUNK", 300)


def test_both_formats_hold_the_same_log(tmp_path):
    text, typed = tmp_path / "raw" / "log.csv", tmp_path / "raw" / "log.parquet"
    write_log(text, 1000)
    write_log(typed, 1000)
    rows = pd.read_parquet(typed)
    pd.testing.assert_frame_equal(rows, pd.read_csv(text), check_dtype=False)
    assert len(rows) == 1000
    assert rows["user_id"].nunique() == 20
    assert rows["item_id"].value_counts().iloc[0] > 200  # of 10; the most popular have most


def test_without_polars_nothing_is_held_against_the_aim(monkeypatch):
    monkeypatch.setattr(prepare, "SIZES", {"quick": (("csv", 1000),)})
    monkeypatch.setattr(prepare, "_stage", lambda _: Cost(1, 9, peak=700))
    monkeypatch.setattr(prepare, "missing", lambda _: "polars is not installed")
    time, memory = prepare.lines("quick")
    assert (time.holds, time.note) == (None, "polars is not installed")
    assert memory.holds is None


def test_memory_a_row_is_what_many_rows_add(monkeypatch):
    monkeypatch.setattr(prepare, "FEW", 10)
    monkeypatch.setattr(prepare, "_stage", lambda _: Cost(1, 1, peak=700))
    assert prepare._memory("", "csv", 110, peak=5700.0).ours == 50
    assert prepare._memory("", "csv", 10, peak=700.0).ours is None
