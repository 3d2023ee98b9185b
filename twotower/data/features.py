"""Side features of users or items, encoded as numbers: everything about a kind except its torch.

A new kind is a class, here or in a module of its own, listed in `KINDS`, and an encoder in
`twotower.training.encoders`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from twotower.common.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from twotower.common.choices import Table
from twotower.common.errors import DataError
from twotower.common.files import round_float
from twotower.data.categories import Categorical, MultiValued
from twotower.data.dense import Vector
from twotower.data.feature import Cells, Feature
from twotower.data.text import Text


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

    def take(self, entities: Int64Array) -> "Features":
        """The features of some of the entities, in this order."""
        return Features({name: column.take(entities) for name, column in self.columns.items()})

    def encode_more(
        self, cells: Mapping[str, pa.ChunkedArray], count: int, where: str
    ) -> tuple["Features", dict[str, int]]:
        """The features of further entities, encoded as those of these were.

        Args:
            cells: by feature, each [count] as `Feature.encode` takes them; of a feature that is not
                among them, all values are missing.
            count: number of further entities.
            where: the table, for messages.

        Returns:
            The features of the further entities alone, and for each of `cells` the number of cells
            with an unknown category.

        Raises:
            DataError: if a feature cannot be encoded.
        """
        columns, unknown = {}, {}
        for name, column in self.columns.items():
            if name in cells:
                label = f"{where}: feature {name!r}"
                columns[name], unknown[name] = column.encode_more(cells[name], label)
            else:
                columns[name] = column.take(np.empty(0, np.int64)).pad(count)
        return Features(columns), unknown

    def concat(self, other: "Features") -> "Features":
        """The entities of these features, then those of `other`, which `encode_more` returned."""
        return Features(
            {name: column.concat(other.columns[name]) for name, column in self.columns.items()}
        )

    def schema(self) -> dict[str, dict[str, Any]]:
        """What is needed to encode further entities and to rebuild a tower, as plain values."""
        return {name: _schema(column) for name, column in self.columns.items()}


def _schema(column: Feature) -> dict[str, Any]:
    arrays = {"arrays": sorted(column.arrays())} if column.arrays() else {}
    return {"kind": column.name, **column.schema(), **arrays}


def _standardised(numbers: Float64Array, mean: float, std: float, where: str) -> Float32Array:
    """[num_entities] float32; 0 for what is no number."""
    scaled = np.where(np.isfinite(numbers), (numbers - mean) / std, 0.0)
    if np.abs(scaled).max(initial=0.0) > np.finfo(np.float32).max:
        msg = f"{where}: the numbers differ by too many orders of magnitude to be standardised"
        raise DataError(msg)
    return scaled.astype(np.float32)
