"""The rows that are exported: ids, vectors, and what goes with them, some at a time."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from twotower.artifacts import Artifacts, IdColumn
from twotower.common.arrays import Float32Array
from twotower.common.files import json_text, sha256_file, sha256_text
from twotower.data.categories import Categorical, MultiValued
from twotower.data.checksums import data_errors, read_checked
from twotower.data.feature import Feature
from twotower.data.features import Numeric
from twotower.export.destination import (
    POSITION,
    VECTOR,
    VERSION_DIGITS,
    Batch,
    Field,
    Kind,
    Schema,
)

LAYOUT = 1
"""Raise it when the same model is exported as other columns or values."""
INTERACTIONS = "interactions"
"""Column of the training rows of an item: its popularity."""
SEEN = "seen"
"""Column of the ids of a user's items in training: what is not recommended again."""
TITLE = "title"
STEP = 2.0**-22
"""Part of its size by which a number that was standardised as float32 may be off, at most."""
ARROW = {
    Kind.TEXT: pa.string(),
    Kind.CATEGORY: pa.string(),
    Kind.CATEGORIES: pa.list_(pa.string()),
    Kind.NUMBER: pa.float64(),
    Kind.INTEGER: pa.int64(),
    Kind.INTEGERS: pa.list_(pa.int64()),
}

Columns = Callable[[int, int], pa.Array]
"""A column's values from one position to another."""


@dataclass(frozen=True)
class Rows:
    """All rows of an export.

    Attributes:
        schema: what they are.
        vectors: [count, dim] float32.
        columns: makes the values of each of the schema's fields.
    """

    schema: Schema
    vectors: Float32Array
    columns: Mapping[str, Columns]

    def batches(self, start: int, size: int) -> Iterator[Batch]:
        """The rows from `start` on, `size` at a time."""
        types = arrow_schema(self.schema)
        for low in range(start, self.schema.count, size):
            high = min(low + size, self.schema.count)
            arrays = [column(low, high) for column in self.columns.values()]
            table = pa.RecordBatch.from_arrays(arrays, schema=types)
            yield Batch(table, np.ascontiguousarray(self.vectors[low:high]))


def arrow_schema(schema: Schema) -> pa.Schema:
    """The fields as Arrow has them; ids and positions are never null."""
    return pa.schema(
        pa.field(field.name, ARROW[field.kind], nullable=number > 1)
        for number, field in enumerate(schema.fields)
    )


def item_rows(artifacts: Artifacts, name: str, model: str, titles: Path | None) -> Rows:
    """Items: id, position, title, popularity, and each side feature that a query may filter by.

    Args:
        artifacts: the model.
        name: see `Schema`.
        model: see `Schema`.
        titles: what prepare wrote; None, or a file without rows: there is no column of titles.

    Raises:
        DataError: if the titles are missing or damaged.
    """
    ids = artifacts.item_ids
    columns = _identity("item_id", ids)
    named = None if titles is None else _titles(titles)
    if named is not None and len(named):
        columns[Field(TITLE, Kind.TEXT)] = _title_column(ids, named)
    counts = artifacts.item_counts
    columns[Field(INTERACTIONS, Kind.INTEGER)] = lambda low, high: pa.array(counts[low:high])
    taken = {VECTOR, *(field.name for field in columns)}
    for feature_name, feature in artifacts.catalogue.items.features.columns.items():
        column = _feature_column(feature)
        if column is not None:
            kind, values = column
            free = feature_name
            while free in taken:
                free += "_feature"
            taken.add(free)
            columns[Field(free, kind)] = values
    digest = sha256_file(titles) if titles is not None else None
    return _rows(artifacts.item_vecs, columns, name, model, titles=digest)


def user_rows(artifacts: Artifacts, name: str, model: str) -> Rows:
    """Users: id, position, and the ids of the items that they have in training.

    Args:
        artifacts: the model.
        name: see `Schema`.
        model: see `Schema`.
    """
    seen, items = artifacts.seen, artifacts.item_ids
    kind = Kind.INTEGERS if items.integers else Kind.CATEGORIES

    def seen_ids(low: int, high: int) -> pa.Array:
        offsets = seen.offsets[low : high + 1]
        ids = items.decode(seen.items[offsets[0] : offsets[-1]])
        starts = pa.array((offsets - offsets[0]).astype(np.int32))
        return pa.ListArray.from_arrays(starts, pa.array(ids, ARROW[kind].value_type))

    columns = _identity("user_id", artifacts.user_ids) | {Field(SEEN, kind): seen_ids}
    return _rows(artifacts.user_vecs, columns, name, model)


def _rows(
    vectors: Float32Array, columns: dict[Field, Columns], name: str, model: str, **other: Any
) -> Rows:
    count, dim = vectors.shape
    fields = tuple(columns)
    exported = {"layout": LAYOUT, "model": model, "ids": fields[0].name, **other}
    version = sha256_text(json_text(exported))[:VERSION_DIGITS]
    schema = Schema(name, version, model, dim, count, fields)
    return Rows(schema, vectors, {field.name: make for field, make in columns.items()})


def _identity(name: str, ids: IdColumn) -> dict[Field, Columns]:
    kind = Kind.INTEGER if ids.integers else Kind.CATEGORY
    return {
        Field(name, kind): lambda low, high: pa.array(ids[low:high], ARROW[kind]),
        Field(POSITION, Kind.INTEGER): lambda low, high: pa.array(np.arange(low, high)),
    }


def _titles(path: Path) -> pa.Table:
    with data_errors(path):
        return read_checked(path, ["item_id", "title"])


def _title_column(ids: IdColumn, titles: pa.Table) -> Columns:
    known, texts = titles["item_id"], titles["title"].cast(pa.string()).combine_chunks()

    def values(low: int, high: int) -> pa.Array:
        batch = ids[low:high]
        if pa.types.is_integer(known.type) != ids.integers:
            return pa.nulls(len(batch), pa.string())
        return texts.take(pc.index_in(pa.array(batch, known.type), value_set=known))

    return values


def _feature_column(feature: Feature) -> tuple[Kind, Columns] | None:
    """A feature's values as the raw data has them; None of a vector or a text: they are no filter.

    What the model has no category for is missing; a number that is missing is its mean.
    """
    if isinstance(feature, Categorical):
        codes, names = feature.codes, pa.array(["", *feature.categories], pa.string())

        def category(low: int, high: int) -> pa.Array:
            block = codes[low:high]
            return names.take(pa.array(block, mask=block == 0))

        return Kind.CATEGORY, category
    if isinstance(feature, MultiValued):
        each, starts, listed = feature.codes, feature.offsets, pa.array(feature.categories)

        def categories(low: int, high: int) -> pa.Array:
            offsets = starts[low : high + 1]
            block = each[offsets[0] : offsets[-1]] - 1
            values = listed.cast(pa.string()).take(pa.array(block))
            return pa.ListArray.from_arrays(
                pa.array((offsets - offsets[0]).astype(np.int32)), values
            )

        return Kind.CATEGORIES, categories
    if isinstance(feature, Numeric):
        scaled, mean, std = feature.values, feature.mean, feature.std
        decimals = _decimals(max(abs(mean), std * float(np.abs(scaled).max(initial=1.0))))

        def numbers(low: int, high: int) -> pa.Array:
            return pa.array(np.round(scaled[low:high].astype(np.float64) * std + mean, decimals))

        return Kind.NUMBER, numbers
    return None


def _decimals(size: float) -> int:
    """Decimal places that numbers up to this size still have after they were standardised."""
    return int(np.floor(-np.log10(size * STEP)))
