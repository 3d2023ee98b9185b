"""Side features whose values are categories."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from twotower.common.arrays import BoolArray, Int64Array
from twotower.common.sorted_keys import distinct
from twotower.data.feature import Cells, Feature

SEPARATOR = "|"
"""Between the values of a cell, unless the declaration says otherwise."""


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
    def from_arrow(
        cls,
        column: pa.ChunkedArray,
        schema: Mapping[str, Any],
        arrays: Mapping[str, NDArray[Any]],  # noqa: ARG003
    ) -> Self:
        """See `Feature.from_arrow`."""
        categories = tuple(schema["categories"])
        return cls(_checked(column.to_numpy().astype(np.int64), 0, categories), categories)


@dataclass(frozen=True)
class MultiValued(Feature):
    """Any number of categories per entity.

    Attributes:
        codes: [total] int64 in 1..len(categories), entity by entity.
        offsets: [num_entities + 1] int64; entity i has codes[offsets[i]:offsets[i + 1]].
        categories: distinct values, sorted.
        separator: between the values of a cell that is text.
    """

    name = "multi_valued"
    summary = "any number of categories per entity"
    cells = Cells.LISTS

    codes: Int64Array
    offsets: Int64Array
    categories: tuple[str, ...]
    separator: str = SEPARATOR

    @classmethod
    def encode(
        cls,
        values: pa.ChunkedArray,
        in_train: BoolArray,  # noqa: ARG003
        where: str,  # noqa: ARG003
        options: Mapping[str, Any],
    ) -> Self:
        """Number the categories, each once per entity; see `Feature.encode`."""
        cells, entities = _flat(values)
        categories = _categories(cells)
        codes, offsets = _lists(_codes(cells, categories), entities, len(values), len(categories))
        return cls(codes, offsets, categories, options["separator"])

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
        """The categories, and the separator unless it is the usual one."""
        unusual = {} if self.separator == SEPARATOR else {"separator": self.separator}
        return {"categories": list(self.categories), **unusual}

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
        lists, categories = column.combine_chunks(), tuple(schema["categories"])
        codes = lists.values.to_numpy(zero_copy_only=False).astype(np.int64)
        return cls(
            codes=_checked(codes, 1, categories),
            offsets=lists.offsets.to_numpy().astype(np.int64),
            categories=categories,
            separator=schema.get("separator", SEPARATOR),
        )


def _categories(values: Any) -> tuple[str, ...]:
    return tuple(sorted(pc.unique(values).drop_null().to_pylist()))


def _codes(values: Any, categories: tuple[str, ...]) -> Int64Array:
    """[len(values)] int64: 0 for null, else 1 + the position in `categories`."""
    positions = pc.index_in(values, value_set=pa.array(categories, pa.string()), skip_nulls=True)
    return np.asarray(pc.fill_null(positions, -1).to_numpy(), dtype=np.int64) + 1


def _checked(codes: Int64Array, lowest: int, categories: tuple[str, ...]) -> Int64Array:
    """The codes, if they are those of categories."""
    if len(codes) and not lowest <= codes.min() <= codes.max() <= len(categories):
        msg = f"codes must be from {lowest} to {len(categories)}, the number of categories"
        raise ValueError(msg)
    return codes


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
    pairs = distinct((entities * width + codes)[codes > 0])
    offsets = np.searchsorted(pairs, np.arange(num_entities + 1) * width).astype(np.int64)
    return pairs % width, offsets
