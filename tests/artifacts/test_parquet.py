"""Files of ids that would take all memory, or hold none."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from twotower.artifacts import IdColumn
from twotower.common.errors import ArtifactError


def column(folder: Path, ids: Any, **others: Any) -> IdColumn:
    table, path = pa.table({"item_id": ids, **others}), folder / "i.parquet"
    pq.write_table(table, path, compression="zstd", store_schema=False)
    return IdColumn(folder / "i.parquet", "item")


def test_repeated_text_is_refused_before_it_is_written_out(tmp_path: Path) -> None:
    # A hundred thousand times four megabytes, in a file of some kilobytes.
    long = pa.array(["x" * (1 << 22)])
    ids = pa.DictionaryArray.from_arrays(pa.array(np.zeros(100_000, np.int32)), long)
    of = column(tmp_path, ids)
    assert (tmp_path / "i.parquet").stat().st_size < 1 << 16
    with pytest.raises(ArtifactError, match="holds no distinct ids"):
        of.encode(["a"])


def test_what_says_that_it_is_far_larger_than_ids_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="are no vocabulary"):
        column(tmp_path, ["x" * (1 << 25), "y"])
    zeros = pa.array(np.zeros(10**7, np.int32))
    lists = pa.ListArray.from_arrays([0, len(zeros), len(zeros)], zeros)
    with pytest.raises(ValueError, match="are no vocabulary"):
        column(tmp_path, [1, 2], tags=lists)
    some = pa.ListArray.from_arrays([0, 10**6, 10**6], zeros[: 10**6])
    with pytest.raises(ValueError, match="are no vocabulary"):  # each might be one
        column(tmp_path, [1, 2], **{f"t{n}": some for n in range(9)})
    with pytest.raises(ValueError, match="has text besides the ids"):
        column(tmp_path, [1, 2], title=["x" * (1 << 22)] * 2)


@pytest.mark.parametrize("ids", [[1, 1], [1, None], ["a", "a"], ["a", None]])
def test_ids_that_are_repeated_or_missing_are_refused(tmp_path: Path, ids: list[Any]) -> None:
    with pytest.raises(ArtifactError, match="holds no distinct ids"):
        column(tmp_path, ids).encode(ids[:1])


@pytest.mark.parametrize("ids", [[1.5], [[1]], [b"x"], [None]])
def test_ids_of_other_types_are_refused(tmp_path: Path, ids: list[Any]) -> None:
    with pytest.raises(ValueError, match="must be int64 or text"):
        column(tmp_path, ids)


def test_pages_that_are_damaged_are_an_error_of_one_line(tmp_path: Path) -> None:
    column(tmp_path, [f"item {number}" for number in range(1000)])
    data = bytearray((tmp_path / "i.parquet").read_bytes())
    data[60:400] = bytes(340)
    (tmp_path / "i.parquet").write_bytes(data)
    with pytest.raises(ArtifactError, match="holds no distinct ids"):
        IdColumn(tmp_path / "i.parquet", "item").encode(["item 1"])
