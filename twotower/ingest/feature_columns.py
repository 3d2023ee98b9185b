"""Declared features: from a table's columns to the numbers that a tower reads."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from twotower.common.arrays import BoolArray, Float64Array, Int64Array
from twotower.common.errors import DataError
from twotower.common.files import round_float
from twotower.config.data import FeatureConfig
from twotower.data.features import Categorical, Feature, Features, MultiValued, Numeric
from twotower.ingest.convert import as_numbers, as_text, blank
from twotower.ingest.row_check import RowCheck

LARGEST = 1e30
"""Of a raw number, in absolute value: its square still fits a float64."""


@dataclass(frozen=True)
class RawFeature:
    """A feature as the table holds it.

    Attributes:
        kind: see FeatureConfig.
        values: [num_rows] float64, NaN where missing (numeric); strings, null where missing
            (categorical); lists of strings (multi_valued).
    """

    kind: str
    values: pa.ChunkedArray

    def filter(self, rows: BoolArray) -> "RawFeature":
        """The rows where `rows` is true."""
        return RawFeature(self.kind, self.values.filter(pa.array(rows)))


def read_feature(
    column: pa.ChunkedArray, name: str, config: FeatureConfig, check: RowCheck, where: str
) -> RawFeature:
    """Convert a column of a table; a blank or null cell is a missing value.

    Args:
        column: [num_rows] as the file holds it.
        name: of the column in the file.
        config: how the feature is declared.
        check: told of the cells of a numeric feature that are not numbers; if it lets them pass,
            they are missing values.
        where: file and column, for messages.

    Raises:
        DataError: if the column has a type that does not fit.
    """
    if config.kind == "numeric":
        numbers = as_numbers(column, where)
        usable = np.abs(numbers) <= LARGEST
        check.require_cells(
            usable | blank(column),
            rule="bad_number",
            column=name,
            expected=f"is a numeric feature: a cell must be a number up to {LARGEST:g}, or blank",
            values=column,
        )
        return RawFeature("numeric", pa.chunked_array([np.where(usable, numbers, np.nan)]))
    if config.kind == "multi_valued":
        return RawFeature("multi_valued", _split(column, config.separator, where))
    text = pc.utf8_trim_whitespace(as_text(column, where))
    return RawFeature("categorical", pc.if_else(pc.equal(text, ""), None, text))


def encode_features(
    features: Mapping[str, RawFeature], rows: Int64Array, in_train: BoolArray, where: str
) -> Features:
    """Encode the features of the entities of a vocabulary.

    Args:
        features: by declared name.
        rows: [num_entities] row of each entity in the table.
        in_train: [num_entities] whether the entity occurs in the training split; numbers are
            standardised over these.
        where: the table, for the message.

    Raises:
        DataError: if a number standardised is beyond float32.
    """
    order = pa.array(rows)
    columns: dict[str, Feature] = {}
    for name, feature in sorted(features.items()):
        values = feature.values.take(order)
        if feature.kind == "numeric":
            columns[name] = _numeric(values.to_numpy(), in_train, f"{where}: feature {name!r}")
        elif feature.kind == "multi_valued":
            columns[name] = _multi_valued(values)
        else:
            columns[name] = _categorical(values)
    return Features(columns)


def _split(column: pa.ChunkedArray, separator: str, where: str) -> pa.ChunkedArray:
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        try:
            return column.cast(pa.list_(pa.string()))
        except pa.ArrowException:
            msg = f"{where}: cannot use values of the type {column.type}"
            raise DataError(msg) from None
    return pc.split_pattern(as_text(column, where), separator)


def _categorical(values: pa.ChunkedArray) -> Categorical:
    categories = _categories(values)
    return Categorical(_codes(values, categories), categories)


def _multi_valued(values: pa.ChunkedArray) -> MultiValued:
    lists = pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], values.type)
    cells = pc.utf8_trim_whitespace(lists.flatten())
    entities = pc.list_parent_indices(lists).to_numpy().astype(np.int64)
    cells = pc.if_else(pc.equal(cells, ""), None, cells)
    categories = _categories(cells)
    codes = _codes(cells, categories)
    width = len(categories) + 1
    pairs = np.unique((entities * width + codes)[codes > 0])
    offsets = np.searchsorted(pairs, np.arange(len(lists) + 1) * width).astype(np.int64)
    return MultiValued(pairs % width, offsets, categories)


def _numeric(values: Float64Array, in_train: BoolArray, where: str) -> Numeric:
    known = np.isfinite(values)
    sample = values[known & in_train]
    mean, std = 0.0, 1.0
    if len(sample):
        mean = round_float(float(sample.mean()))
        std = round_float(float(sample.std())) if sample.min() < sample.max() else 1.0
    scaled = np.where(known, (values - mean) / (std or 1.0), 0.0)
    if np.abs(scaled).max(initial=0.0) > np.finfo(np.float32).max:
        msg = f"{where}: the numbers differ by too many orders of magnitude to be standardised"
        raise DataError(msg)
    return Numeric(scaled.astype(np.float32), mean, std or 1.0)


def _categories(values: Any) -> tuple[str, ...]:
    return tuple(sorted(pc.unique(values).drop_null().to_pylist()))


def _codes(values: Any, categories: tuple[str, ...]) -> Int64Array:
    """[len(values)] int64: 0 for null, else 1 + the position in `categories`."""
    positions = pc.index_in(values, value_set=pa.array(categories, pa.string()), skip_nulls=True)
    return np.asarray(pc.fill_null(positions, -1).to_numpy(), dtype=np.int64) + 1
