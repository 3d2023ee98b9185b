"""Side features of users or items, encoded as numbers: everything about a kind except its torch.

A new kind is a class here, listed in `KINDS`, and an encoder in `twotower.training.encoders`.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from twotower.common.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from twotower.common.choices import Table
from twotower.common.errors import DataError
from twotower.common.files import round_float


class Cells(Enum):
    """What the cells of a column are read as."""

    TEXT = "text"
    LISTS = "lists of text"
    NUMBERS = "numbers"


class Feature(ABC):
    """One feature of all entities of a type; each subclass is a kind.

    Attributes:
        name: of the kind, in params.yaml.
        summary: one line for the docs.
        cells: what a column of this kind is read as.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    cells: ClassVar[Cells]

    @classmethod
    @abstractmethod
    def encode(cls, values: pa.ChunkedArray, in_train: BoolArray, where: str) -> Self:
        """Encode the cells of all entities.

        Args:
            values: [num_entities] strings, lists of strings or float64, as `cells` says; null or
                NaN where missing.
            in_train: [num_entities] whether the entity occurs in the training split.
            where: table and feature, for messages.

        Raises:
            DataError: if the values cannot be encoded.
        """

    @abstractmethod
    def encode_more(self, values: pa.ChunkedArray, where: str) -> tuple[Self, int]:
        """Encode the cells of further entities as those of this feature were.

        Args:
            values: [num_further] as in `encode`.
            where: table and feature, for messages.

        Returns:
            The feature of the further entities alone, and the number of cells with a category that
            this feature does not have, which count as missing.

        Raises:
            DataError: if the values cannot be encoded.
        """

    @abstractmethod
    def concat(self, other: Self) -> Self:
        """The entities of this feature, then those of `other`, which `encode_more` returned."""

    @abstractmethod
    def pad(self, count: int) -> Self:
        """The feature with `count` more entities whose value is missing."""

    @abstractmethod
    def schema(self) -> dict[str, Any]:
        """What is needed besides the column to rebuild the feature, as plain values."""

    @abstractmethod
    def to_arrow(self) -> pa.Array:
        """[num_entities] the column of the vocabulary's Parquet file."""

    @classmethod
    @abstractmethod
    def from_arrow(cls, column: pa.ChunkedArray, schema: Mapping[str, Any]) -> Self:
        """The feature that was written as this column and schema."""


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
    def encode(cls, values: pa.ChunkedArray, in_train: BoolArray, where: str) -> Self:  # noqa: ARG003
        """Number the categories; see `Feature.encode`."""
        categories = _categories(values)
        return cls(_codes(values, categories), categories)

    def encode_more(self, values: pa.ChunkedArray, where: str) -> tuple[Self, int]:  # noqa: ARG002
        """Number the cells; see `Feature.encode_more`."""
        codes = _codes(values, self.categories)
        return replace(self, codes=codes), _count_unknown(values, codes)

    def concat(self, other: Self) -> Self:
        """See `Feature.concat`."""
        return replace(self, codes=np.concatenate([self.codes, other.codes]))

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
    def from_arrow(cls, column: pa.ChunkedArray, schema: Mapping[str, Any]) -> Self:
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
    def encode(cls, values: pa.ChunkedArray, in_train: BoolArray, where: str) -> Self:  # noqa: ARG003
        """Number the categories, each once per entity; see `Feature.encode`."""
        cells, entities = _flat(values)
        categories = _categories(cells)
        codes, offsets = _lists(_codes(cells, categories), entities, len(values), len(categories))
        return cls(codes, offsets, categories)

    def encode_more(self, values: pa.ChunkedArray, where: str) -> tuple[Self, int]:  # noqa: ARG002
        """Number the categories, each once per entity; see `Feature.encode_more`."""
        cells, entities = _flat(values)
        each = _codes(cells, self.categories)
        codes, offsets = _lists(each, entities, len(values), len(self.categories))
        return replace(self, codes=codes, offsets=offsets), _count_unknown(cells, each)

    def concat(self, other: Self) -> Self:
        """See `Feature.concat`."""
        codes = np.concatenate([self.codes, other.codes])
        offsets = np.concatenate([self.offsets, self.offsets[-1] + other.offsets[1:]])
        return replace(self, codes=codes, offsets=offsets)

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
    def from_arrow(cls, column: pa.ChunkedArray, schema: Mapping[str, Any]) -> Self:
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
    def encode(cls, values: pa.ChunkedArray, in_train: BoolArray, where: str) -> Self:
        """Standardise the numbers; see `Feature.encode`.

        Raises:
            DataError: if a standardised number exceeds float32.
        """
        numbers = values.to_numpy()
        sample = numbers[np.isfinite(numbers) & in_train]
        mean, std = 0.0, 1.0
        if len(sample):
            mean = round_float(float(sample.mean()))
            std = round_float(float(sample.std())) if sample.min() < sample.max() else 1.0
        return cls(_standardised(numbers, mean, std or 1.0, where), mean, std or 1.0)

    def encode_more(self, values: pa.ChunkedArray, where: str) -> tuple[Self, int]:
        """Standardise the numbers by this feature's mean and deviation; no category is unknown.

        Raises:
            DataError: if a standardised number exceeds float32.
        """
        scaled = _standardised(values.to_numpy(), self.mean, self.std, where)
        return replace(self, values=scaled), 0

    def concat(self, other: Self) -> Self:
        """See `Feature.concat`."""
        return replace(self, values=np.concatenate([self.values, other.values]))

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
    def from_arrow(cls, column: pa.ChunkedArray, schema: Mapping[str, Any]) -> Self:
        """See `Feature.from_arrow`."""
        return cls(column.to_numpy().astype(np.float32), schema["mean"], schema["std"])


KINDS: Table[type[Feature]] = Table("features.kind", Categorical, MultiValued, Numeric)


@dataclass(frozen=True)
class Features:
    """The side features of one entity type, by name, in alphabetical order."""

    columns: Mapping[str, Feature] = field(default_factory=dict)

    def pad(self, count: int) -> "Features":
        """The features with `count` more entities whose values are missing."""
        return Features({name: column.pad(count) for name, column in self.columns.items()})

    def encode_more(
        self, cells: Mapping[str, pa.ChunkedArray], where: str
    ) -> tuple["Features", dict[str, int]]:
        """Features of further entities, encoded as those of these were.

        Args:
            cells: by feature, as `Feature.encode` takes them; of some of these features.
            where: the table, for messages.

        Returns:
            Those features, of the further entities alone, and each one's number of cells with an
            unknown category.

        Raises:
            DataError: if a feature cannot be encoded.
        """
        encoded = {
            name: self.columns[name].encode_more(values, f"{where}: feature {name!r}")
            for name, values in sorted(cells.items())
        }
        return (
            Features({name: column for name, (column, _) in encoded.items()}),
            {name: unknown for name, (_, unknown) in encoded.items()},
        )

    def concat(self, other: "Features", count: int) -> "Features":
        """The entities of these features, then those of `other`, which `encode_more` returned.

        Args:
            other: a feature that is not among them is missing.
            count: entities of `other`.
        """
        return Features(
            {
                name: column.concat(other.columns[name])
                if name in other.columns
                else column.pad(count)
                for name, column in self.columns.items()
            }
        )

    def schema(self) -> dict[str, dict[str, Any]]:
        """What is needed to encode further entities and to rebuild a tower, as plain values."""
        return {
            name: {"kind": column.name, **column.schema()} for name, column in self.columns.items()
        }


def _categories(values: Any) -> tuple[str, ...]:
    return tuple(sorted(pc.unique(values).drop_null().to_pylist()))


def _codes(values: Any, categories: tuple[str, ...]) -> Int64Array:
    """[len(values)] int64: 0 for null, else 1 + the position in `categories`."""
    positions = pc.index_in(values, value_set=pa.array(categories, pa.string()), skip_nulls=True)
    return np.asarray(pc.fill_null(positions, -1).to_numpy(), dtype=np.int64) + 1


def _count_unknown(values: Any, codes: Int64Array) -> int:
    """Cells that hold something without a code."""
    return int(np.count_nonzero(codes == 0)) - int(values.null_count)


def _flat(values: pa.ChunkedArray) -> tuple[Any, Int64Array]:
    """The cells of all lists, blank ones as null, and the position of each one's list."""
    lists = pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], values.type)
    cells = pc.utf8_trim_whitespace(lists.flatten())
    entities = pc.list_parent_indices(lists).to_numpy().astype(np.int64)
    return pc.if_else(pc.equal(cells, ""), None, cells), entities


def _lists(
    codes: Int64Array, entities: Int64Array, num_entities: int, num_categories: int
) -> tuple[Int64Array, Int64Array]:
    """Distinct codes above 0 of each entity, ascending, and the offsets of each one's."""
    width = num_categories + 1
    pairs = np.unique((entities * width + codes)[codes > 0])
    offsets = np.searchsorted(pairs, np.arange(num_entities + 1) * width).astype(np.int64)
    return pairs % width, offsets


def _standardised(numbers: Float64Array, mean: float, std: float, where: str) -> Float32Array:
    """[num_entities] float32; 0 for what is no number."""
    scaled = np.where(np.isfinite(numbers), (numbers - mean) / std, 0.0)
    if np.abs(scaled).max(initial=0.0) > np.finfo(np.float32).max:
        msg = f"{where}: the numbers differ by too many orders of magnitude to be standardised"
        raise DataError(msg)
    return scaled.astype(np.float32)
