"""Columns and samples for tests, without files."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from twotower.inspection.column import Column
from twotower.inspection.dialect import Dialect
from twotower.inspection.sample import TableSample


def column(values: Sequence[Any], name: str = "c", kind: pa.DataType | None = None) -> Column:
    return Column(name, pa.chunked_array([pa.array(values, kind)]))


def sample(file: str = "f.csv", *, header: bool = True, **columns: Sequence[Any]) -> TableSample:
    """A whole text file of these columns; positions are `_1`, `_2`, … without a header."""
    made = tuple(column(values, name.lstrip("_")) for name, values in columns.items())
    rows = len(made[0].values)
    return TableSample(file, "csv", Dialect("utf-8", ",", header), made, rows, rows)
