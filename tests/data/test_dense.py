from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from twotower.common.errors import DataError
from twotower.config.declared_features import FeatureConfig
from twotower.data.dense import Vector, rows_of_lists

IN_TRAIN = np.array([True, True, True, False])
RAW = [[3.0, 4.0], None, [0.0, 1.0], [6.0, 8.0]]


def lists(rows: list[Any], width: int = 2) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(rows, pa.list_(pa.float32(), width))])


def encode(rows: list[Any], *, normalise: bool) -> Vector:
    options = FeatureConfig(kind="vector", normalise=normalise).model_dump()
    return Vector.encode(lists(rows), IN_TRAIN, "items: feature 'x'", options)


def test_the_mean_squared_length_in_training_is_one() -> None:
    column = encode(RAW, normalise=False)
    assert column.scale == pytest.approx(np.sqrt((25 + 1) / 2))
    squares = (column.values**2).sum(axis=1)
    assert squares[[0, 2]].mean() == pytest.approx(1)  # the missing one does not count
    assert np.allclose(column.values * column.scale, [[3, 4], [0, 0], [0, 1], [6, 8]])
    assert column.num_missing == 1


def test_each_may_have_length_one() -> None:
    column = encode(RAW, normalise=True)
    assert np.allclose(column.values, [[0.6, 0.8], [0, 0], [0, 1], [0.6, 0.8]])


def test_nothing_is_divided_by_zero() -> None:
    assert encode([[0.0, 0.0]] * 4, normalise=False).scale == 1
    assert not encode([[0.0, 0.0]] * 4, normalise=True).values.any()


@pytest.mark.parametrize("normalise", [False, True])
def test_further_vectors_are_scaled_likewise(normalise) -> None:
    column = encode(RAW, normalise=normalise)
    more, num_unknown = column.encode_more(lists([None, [3.0, 4.0]]), "items: feature 'x'")
    assert num_unknown == 0
    both = column.concat(more)
    assert np.array_equal(both.values, np.vstack([column.values, column.values[[1, 0]]]))
    assert both.schema() == column.schema()


def test_further_vectors_have_the_same_width() -> None:
    with pytest.raises(DataError, match="items: feature 'x': vectors must have 2 elements, got 3"):
        encode(RAW, normalise=False).encode_more(lists([[1.0, 2.0, 3.0]], 3), "items: feature 'x'")


def test_rows_of_parts_of_several_chunks() -> None:
    column = pa.chunked_array([*lists(RAW).slice(1, 2).chunks, *lists(RAW).slice(3).chunks])
    assert rows_of_lists(column).tolist() == [[0, 0], [0, 1], [6, 8]]
