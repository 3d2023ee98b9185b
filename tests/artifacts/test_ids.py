from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from twotower.artifacts import IdColumn
from twotower.artifacts.ids import FEW
from twotower.common.errors import RequestError


def column(path: Path, ids: list[Any]) -> IdColumn:
    pd.DataFrame({"item_id": ids}).to_parquet(path)
    return IdColumn(path, "item")


@pytest.mark.parametrize("ids", [[5, 3, -(2**63), 2**63 - 1], ["5", "05", "", "NA", "é"]])
def test_ids_and_indices_are_inverse(tmp_path: Path, ids: list[Any]) -> None:
    of = column(tmp_path / "i.parquet", ids)
    assert (len(of), of.all, of.integers) == (len(ids), ids, isinstance(ids[0], int))
    assert of.encode(ids[::-1]).tolist() == list(range(len(ids)))[::-1]
    assert of.decode(of.encode(ids)) == ids
    assert [type(value) for value in of.decode(of.encode(ids))] == [type(value) for value in ids]
    unknown = 4 if isinstance(ids[0], int) else "4"
    for times in (1, FEW):
        assert of.encode([unknown, ids[1], ids[1]] * times).tolist() == [-1, 1, 1] * times
    assert of.encode([]).tolist() == []


def test_invalid_unicode_is_refused(tmp_path: Path) -> None:
    of = column(tmp_path / "i.parquet", ["a"])
    with pytest.raises(RequestError, match="item ids must be valid Unicode"):
        of.encode(["a", "\ud800"])


def test_threads_share_one_reading(tmp_path: Path) -> None:
    ids = [f"i{number}" for number in range(20_000)]
    of = column(tmp_path / "i.parquet", ids)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda start: of.encode(ids[start::8]).tolist(), range(8)))
    assert found == [list(range(start, len(ids), 8)) for start in range(8)]


def test_another_file_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"user_id": [1]}).to_parquet(tmp_path / "u.parquet")
    with pytest.raises(ValueError, match="no column item_id"):
        IdColumn(tmp_path / "u.parquet", "item")
