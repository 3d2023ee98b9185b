"""Vectors in a column of a table."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.ingest.conftest import Shop
from twotower.common.errors import DataError
from twotower.data.dense import Vector

EXPECTED = [[0.6, 0.8], [0.0, 0.0], [0.0, -1.0]]
"""Of items 10, 11 and 12."""


def encoded(shop: Shop) -> Vector:
    column = shop.catalogue().items.features.columns["emb"]
    assert isinstance(column, Vector)
    return column


def write_items(shop: Shop, values: Any, kind: pa.DataType | None = None) -> None:
    shop.data["items"] = {"features": {"emb": {"kind": "vector", "normalise": True}}}
    (shop.root / "items.csv").unlink()
    table = pa.table({"item_id": [10, 11, 12], "emb": pa.array(values, kind)})
    pq.write_table(table, shop.root / "items.parquet")


@pytest.mark.parametrize(
    ("kind", "empty"),
    [
        (pa.list_(pa.float64()), []),
        (pa.large_list(pa.float32()), None),
        (pa.list_(pa.float16(), 2), [0, 0]),
        (pa.list_(pa.int8()), None),
        (pa.list_(pa.string()), []),
    ],
    ids=str,
)
def test_lists_of_parquet(shop: Shop, kind: pa.DataType, empty: Any) -> None:
    cell = str if pa.types.is_string(kind.value_type) else int
    write_items(shop, [[cell(3), cell(4)], empty, [cell(0), cell(-2)]], kind)
    assert shop.run()["features"]["items"]["vectors"]["emb"]["width"] == 2
    assert np.allclose(encoded(shop).values, EXPECTED)


def test_arrays_of_json_lines(shop: Shop) -> None:
    write_items(shop, [None] * 3, pa.list_(pa.float32()))
    (shop.root / "items.parquet").unlink()
    rows = '{"item_id": 10, "emb": [3, 4.0]}\n{"item_id": 11}\n{"item_id": 12, "emb": [0, -2e0]}\n'
    shop.write("items.jsonl", rows)
    shop.run()
    assert np.allclose(encoded(shop).values, EXPECTED)


@pytest.mark.parametrize(
    ("separator", "cells"),
    [
        ("|", ("3|4", "", "0|-2")),
        (",", ("[3.0, 4]", "[]", "[0,-2]")),
        (" ", ("[3.  4]", "", "0 -2")),
    ],
)
def test_text(shop: Shop, separator: str, cells: tuple[str, ...]) -> None:
    feature = {"kind": "vector", "normalise": True, "separator": separator}
    shop.data["items"] = {"features": {"emb": feature}}
    rows = [f'{item},"{cell}"\n' for item, cell in zip((10, 11, 12), cells, strict=True)]
    shop.write("items.csv", "item_id,emb\n" + "".join(rows))
    shop.run()
    assert np.allclose(encoded(shop).values, EXPECTED)


@pytest.mark.parametrize(
    ("values", "rule", "where"),
    [
        ([[1.0, 2.0], [3.0], [4.0, 5.0]], r"must have 2 numbers.*\(got 1 here\)", "row 2"),
        ([[1.0, 2.0], [3.0, 4.0], [5.0, np.nan]], "element 2 is no number", "row 3"),
        ([[np.inf, 2.0], [3.0, 4.0], None], "element 1 is infinite", "row 1"),
        ([[1e300, 2.0], [3.0, 4.0], None], "infinite, or beyond 32 bits", "row 1"),
        ([["1", "2"], ["3", "x"], None], "element 2 is no number", "row 2"),
    ],
)  # fmt: skip
def test_a_bad_vector_is_an_error_or_a_missing_value(
    shop: Shop, values: Any, rule: str, where: str
) -> None:
    write_items(shop, values)
    with pytest.raises(DataError, match=rf"items.parquet: column 'emb' .*{rule}.*: {where} \("):
        shop.run()
    shop.data["on_invalid"] = "drop"
    report = shop.run()
    assert report["read"]["items"]["blanked_cells"] == 1
    missing = sum(value is None for value in values) + 1
    assert report["features"]["items"]["vectors"] == {
        "emb": {"width": 2, "missing": missing, "unused": 0}
    }
    assert np.count_nonzero(~encoded(shop).values.any(axis=1)) == missing


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([None, [], None], "is a vector feature, but has no vectors: all cells are blank"),
        ([[True, False]] * 3, "must be numeric, got type bool"),
    ],
)
def test_a_column_without_vectors(shop: Shop, values: Any, message: str) -> None:
    write_items(shop, values, None if values[0] else pa.list_(pa.float32()))
    with pytest.raises(DataError, match=f"items.parquet: column 'emb': {message}"):
        shop.run()


def test_pyarrow_cannot_read_nulls_among_lists_of_one_length(shop: Shop) -> None:
    write_items(shop, [[1.0, 2.0], None, [3.0, 4.0]], pa.list_(pa.float32(), 2))
    with pytest.raises(DataError, match="a column of fixed-size lists with nulls"):
        shop.run()
