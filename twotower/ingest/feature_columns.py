"""Declared features: from a table's columns to the numbers that a tower reads."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from twotower.common.arrays import BoolArray, Int64Array
from twotower.common.errors import DataError
from twotower.config.declared_features import FeatureConfig
from twotower.data.feature import Cells
from twotower.data.features import KINDS, Features
from twotower.ingest.convert import (
    GROUPED,
    as_labels,
    as_numbers,
    as_text,
    blank,
    meanings_of_points,
    number_rule,
)
from twotower.ingest.row_check import RowCheck
from twotower.ingest.vector_columns import read_vectors

LARGEST = 1e30
"""Of a raw number, in absolute value: its square still fits a float64."""


@dataclass(frozen=True)
class RawFeature:
    """A feature as the table holds it.

    Attributes:
        config: how it is declared.
        values: [num_rows] as `Feature.encode` takes them.
        grouped: whether points in numbers may be between thousands.
        is_mostly_invalid: whether most cells should be numbers and are none.
        num_unused: vectors of ids that the table lacks.
    """

    config: FeatureConfig
    values: pa.ChunkedArray
    grouped: bool = False
    is_mostly_invalid: bool = False
    num_unused: int = 0

    def filter(self, rows: BoolArray) -> "RawFeature":
        """The rows where `rows` is true."""
        if rows.all():  # vectors may take up much of the memory
            return self
        return replace(self, values=self.values.filter(pa.array(rows)))


def read_feature(
    column: pa.ChunkedArray,
    name: str,
    config: FeatureConfig,
    check: RowCheck,
    *,
    where: str,
    decimal: str | None,
) -> RawFeature:
    """Convert a column of a table; a blank or null cell is a missing value.

    Args:
        column: [num_rows] as the file holds it.
        name: of the column in the file.
        config: how the feature is declared.
        check: judges the cells that should be numbers or vectors and are not; those that it lets
            pass are missing values.
        where: file and column, for messages.
        decimal: mark of numbers in text.

    Raises:
        DataError: if the column's type does not fit.
    """
    match KINDS[config.kind].cells:
        case Cells.TEXT:
            values = as_labels(column, where)
        case Cells.LISTS:
            values = _lists(column, config.separator, where)
        case Cells.NUMBERS:
            return _numbers(column, name, config, check, where=where, decimal=decimal)
        case Cells.VECTORS:
            values = read_vectors(column, name, config, check, where=where, decimal=decimal)
    return RawFeature(config, values)


def encode_features(
    features: Mapping[str, RawFeature], rows: Int64Array, in_train: BoolArray, where: str
) -> Features:
    """Encode the features of the entities of a vocabulary.

    Args:
        features: by declared name.
        rows: [num_entities] row of each entity in the table.
        in_train: [num_entities] whether the entity occurs in the training split.
        where: the table, for messages.

    Raises:
        DataError: if a feature cannot be encoded.
    """
    order = pa.array(rows)
    return Features(
        {
            name: KINDS[feature.config.kind].encode(
                feature.values.take(order),
                in_train,
                f"{where}: feature {name!r}",
                feature.config.model_dump(),
            )
            for name, feature in sorted(features.items())
        }
    )


def _lists(column: pa.ChunkedArray, separator: str, where: str) -> pa.ChunkedArray:
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        try:
            return column.cast(pa.list_(pa.string()))
        except pa.ArrowException:
            msg = f"{where}: cannot use values of the type {column.type}"
            raise DataError(msg) from None
    return pc.split_pattern(as_text(column, where), separator)


def _numbers(
    column: pa.ChunkedArray,
    name: str,
    config: FeatureConfig,
    check: RowCheck,
    *,
    where: str,
    decimal: str | None,
) -> RawFeature:
    numbers = as_numbers(column, where, decimal)
    usable, empty = np.abs(numbers) <= LARGEST, blank(column)
    check.require_cells(
        usable | empty,
        rule="bad_number",
        column=name,
        expected=f"is a {config.kind} feature: a cell must be a number up to {LARGEST:g}, or blank"
        f"{number_rule(decimal)}",
    )
    return RawFeature(
        config,
        pa.chunked_array([np.where(usable, numbers, np.nan)]),
        grouped=meanings_of_points(column, decimal) == {GROUPED},
        is_mostly_invalid=bool(2 * np.count_nonzero(usable) < np.count_nonzero(~empty)),
    )
