"""Part files that are one table."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from twotower.common.errors import DataError
from twotower.config.data import DataConfig
from twotower.ingest.open_file import open_source


def test_parts_are_in_the_order_of_their_numbers(tmp_path):
    for number in (10, 2, 1):
        (tmp_path / f"log_{number}.csv").write_text(f"id,x\n{number},a\n")
    for path in (tmp_path, tmp_path / "log_*.csv"):
        table = open_source(path, DataConfig(), None).read(["id"])
        assert table["id"].to_pylist() == ["1", "2", "10"]


def test_folders_of_parts_are_columns(tmp_path):
    for event, rows in {"view": "1,10\n", "a%2Fb": "2,11\n3,12\n4\n"}.items():
        path = tmp_path / "log" / f"event={event}" / "part.csv"
        path.parent.mkdir(parents=True)
        path.write_text("user,item\n" + rows)
    source = open_source(tmp_path / "log", DataConfig(), None)
    assert source.header == ("user", "item", "event")
    assert source.read(["event"])["event"].to_pylist() == ["a/b", "a/b", "view"]
    assert source.read(["event", "item"])["item"].to_pylist() == ["11", "12", "10"]
    assert list(source.ragged()) == [("event=a%2Fb/part.csv: line 4", 1)]
    assert (source.num_fields, source.num_ragged) == (2, 1)
    assert source.place(2) == "event=view/part.csv: line 2"


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([1, 2], [1.5], [1, 2, 1.5]),
        (pa.nulls(1), [7], [None, 7]),
        ([1.0], ["a"], None),
    ],
)
def test_parts_with_other_types(tmp_path, first, second, expected):
    for name, values in {"a": first, "b": second}.items():
        pq.write_table(pa.table({"x": values}), tmp_path / f"{name}.parquet")
    source = open_source(tmp_path, DataConfig(), None)
    if expected is None:
        with pytest.raises(DataError, match="the parts have different types"):
            source.read(["x"])
    else:
        assert source.read(["x"])["x"].to_pylist() == expected


def test_parts_may_lack_columns_where_each_names_its_own(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"x": 1}\n')
    (tmp_path / "b.jsonl").write_text('{"y": "b", "x": 2}\n')
    source = open_source(tmp_path, DataConfig(), None)
    assert source.read(["x", "y"]).to_pydict() == {"x": ["1", "2"], "y": [None, "b"]}
