"""Side features of users or items, encoded as numbers: everything about a kind except its torch.

A new kind is a class, here or in a module of its own, listed in `KINDS`, and an encoder in
`twotower.training.encoders`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from twotower.common.arrays import BoolArray, Float32Array, Int64Array
from twotower.common.choices import Table
from twotower.common.errors import DataError
from twotower.common.files import round_float
from twotower.data.dense import Vector
from twotower.data.feature import Cells, Feature
from twotower.data.text import Text


@dataclass(frozen=True)
class Categorical(Feature):
    """One category per entity.

    Attributes:
        codes: [num_entities] int64; 0 is unknown or missing, code c is categories[c - 1].
        categories: distinct values, sorted.
    """

    name = "categorical"
    summary = "one category per entity"
    cells = Cells.TEXT

    codes: Int64Array
    categories: tuple[str, ...]

    @classmethod
    def encode(
        cls,
        values: pa.ChunkedArray,
        in_train: BoolArray,  # noqa: ARG003
        where: str,  # noqa: ARG003
        options: Mapping[str, Any],  # noqa: ARG003
    ) -> Self:
        """Number the categories; see `Feature.encode`."""
        categories = _categories(values)
        return cls(_codes(values, categories), categories)

    def pad(self, count: int) -> Self:
        """The feature with `count` more entities whose category is unknown."""
        return replace(self, codes=np.pad(self.codes, (0, count)))

    def schema(self) -> dict[str, Any]:
        """The categories."""
        return {"categories": list(self.categories)}

    def to_arrow(self) -> pa.Array:
        """[num_entities] int32 codes."""
        return pa.array(self.codes.astype(np.int32))

    @classmethod
    def from_arrow(
        cls,
        column: pa.ChunkedArray,
        schema: Mapping[str, Any],
        arrays: Mapping[str, NDArray[Any]],  # noqa: ARG003
    ) -> Self:
        """See `Feature.from_arrow`."""
        return cls(column.to_numpy().astype(np.int64), tuple(schema["categories"]))


@dataclass(frozen=True)
class MultiValued(Feature):
    """Any number of categories per entity.

    Attributes:
        codes: [total] int64 in 1..len(categories), entity by entity.
        offsets: [num_entities + 1] int64; entity i has codes[offsets[i]:offsets[i + 1]].
        categories: distinct values, sorted.
    """

    name = "multi_valued"
    summary = "any number of categories per entity"
    cells = Cells.LISTS

    codes: Int64Array
    offsets: Int64Array
    categories: tuple[str, ...]

    @classmethod
    def encode(
        cls,
        values: pa.ChunkedArray,
        in_train: BoolArray,  # noqa: ARG003
        where: str,  # noqa: ARG003
        options: Mapping[str, Any],  # noqa: ARG003
    ) -> Self:
        """Number the categories, each once per entity; see `Feature.encode`."""
        lists = pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], values.type)
        cells = pc.utf8_trim_whitespace(lists.flatten())
        entities = pc.list_parent_indices(lists).to_numpy().astype(np.int64)
        cells = pc.if_else(pc.equal(cells, ""), None, cells)
        categories = _categories(cells)
        codes = _codes(cells, categories)
        width = len(categories) + 1
        pairs = np.unique((entities * width + codes)[codes > 0])
        offsets = np.searchsorted(pairs, np.arange(len(lists) + 1) * width).astype(np.int64)
        return cls(pairs % width, offsets, categories)

    def pad(self, count: int) -> Self:
        """The feature with `count` more entities that have no value."""
        return replace(self, offsets=np.pad(self.offsets, (0, count), mode="edge"))

    def schema(self) -> dict[str, Any]:
        """The categories."""
        return {"categories": list(self.categories)}

    def to_arrow(self) -> pa.Array:
        """[num_entities] lists of int32 codes."""
        offsets, codes = (pa.array(each.astype(np.int32)) for each in (self.offsets, self.codes))
        return pa.ListArray.from_arrays(offsets, codes)

    @classmethod
    def from_arrow(
        cls,
        column: pa.ChunkedArray,
        schema: Mapping[str, Any],
        arrays: Mapping[str, NDArray[Any]],  # noqa: ARG003
    ) -> Self:
        """See `Feature.from_arrow`."""
        lists = column.combine_chunks()
        return cls(
            codes=lists.values.to_numpy(zero_copy_only=False).astype(np.int64),
            offsets=lists.offsets.to_numpy().astype(np.int64),
            categories=tuple(schema["categories"]),
        )


@dataclass(frozen=True)
class Numeric(Feature):
    """One number per entity.

    Attributes:
        values: [num_entities] float32, standardised over the entities of the training split;
            0 (their mean) where the value is missing.
        mean: of the raw values over the entities of the training split.
        std: the same entities' standard deviation; 1 where all values are equal.
    """

    name = "numeric"
    summary = "one number per entity, standardised over the entities of the training split"
    cells = Cells.NUMBERS

    values: Float32Array
    mean: float
    std: float

    @classmethod
    def encode(
        cls,
        values: pa.ChunkedArray,
        in_train: BoolArray,
        where: str,
        options: Mapping[str, Any],  # noqa: ARG003
    ) -> Self:
        """Standardise the numbers; see `Feature.encode`.

        Raises:
            DataError: if a standardised number exceeds float32.
        """
        numbers = values.to_numpy()
        present = np.isfinite(numbers)
        sample = numbers[present & in_train]
        mean, std = 0.0, 1.0
        if len(sample):
            mean = round_float(float(sample.mean()))
            std = round_float(float(sample.std())) if sample.min() < sample.max() else 1.0
        scaled = np.where(present, (numbers - mean) / (std or 1.0), 0.0)
        if np.abs(scaled).max(initial=0.0) > np.finfo(np.float32).max:
            msg = f"{where}: the numbers differ by too many orders of magnitude to be standardised"
            raise DataError(msg)
        return cls(scaled.astype(np.float32), mean, std or 1.0)

    def pad(self, count: int) -> Self:
        """The feature with `count` more entities whose number is missing."""
        return replace(self, values=np.pad(self.values, (0, count)))

    def schema(self) -> dict[str, Any]:
        """Mean and standard deviation."""
        return {"mean": self.mean, "std": self.std}

    def to_arrow(self) -> pa.Array:
        """[num_entities] float32 standardised values."""
        return pa.array(self.values)

    @classmethod
    def from_arrow(
        cls,
        column: pa.ChunkedArray,
        schema: Mapping[str, Any],
        arrays: Mapping[str, NDArray[Any]],  # noqa: ARG003
    ) -> Self:
        """See `Feature.from_arrow`."""
        return cls(column.to_numpy().astype(np.float32), schema["mean"], schema["std"])


KINDS: Table[type[Feature]] = Table(
    "features.kind", Categorical, MultiValued, Numeric, Vector, Text
)


@dataclass(frozen=True)
class Features:
    """The side features of one entity type, by name, in alphabetical order."""

    columns: Mapping[str, Feature] = field(default_factory=dict)

    def pad(self, count: int) -> "Features":
        """The features with `count` more entities whose values are missing."""
        return Features({name: column.pad(count) for name, column in self.columns.items()})

    def schema(self) -> dict[str, dict[str, Any]]:
        """What is needed to encode further entities and to rebuild a tower, as plain values."""
        return {name: _schema(column) for name, column in self.columns.items()}


def _schema(column: Feature) -> dict[str, Any]:
    arrays = {"arrays": sorted(column.arrays())} if column.arrays() else {}
    return {"kind": column.name, **column.schema(), **arrays}


def _categories(values: Any) -> tuple[str, ...]:
    return tuple(sorted(pc.unique(values).drop_null().to_pylist()))


def _codes(values: Any, categories: tuple[str, ...]) -> Int64Array:
    """[len(values)] int64: 0 for null, else 1 + the position in `categories`."""
    positions = pc.index_in(values, value_set=pa.array(categories, pa.string()), skip_nulls=True)
    return np.asarray(pc.fill_null(positions, -1).to_numpy(), dtype=np.int64) + 1
