"""Side features of users or items, encoded as numbers."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from twotower.common.arrays import Float32Array, Int64Array


@dataclass(frozen=True)
class Categorical:
    """One category an entity.

    Attributes:
        codes: [num_entities] int64; 0 is unknown or missing, code c is categories[c - 1].
        categories: known values, sorted.
    """

    codes: Int64Array
    categories: tuple[str, ...]

    def pad(self, count: int) -> "Categorical":
        """The feature with `count` more entities whose value is unknown."""
        return replace(self, codes=np.pad(self.codes, (0, count)))


@dataclass(frozen=True)
class MultiValued:
    """Any number of categories an entity.

    Attributes:
        codes: [total] int64 in 1..len(categories), entity by entity.
        offsets: [num_entities + 1] int64; entity i has codes[offsets[i]:offsets[i + 1]].
        categories: known values, sorted.
    """

    codes: Int64Array
    offsets: Int64Array
    categories: tuple[str, ...]

    def pad(self, count: int) -> "MultiValued":
        """The feature with `count` more entities that have no value."""
        return replace(self, offsets=np.pad(self.offsets, (0, count), mode="edge"))


@dataclass(frozen=True)
class Numeric:
    """One number an entity.

    Attributes:
        values: [num_entities] float32, standardised over the entities of the training split;
            0 (their mean) where the value is missing.
        mean: of the raw values over the entities of the training split.
        std: the same entities' standard deviation; 1 where all values are equal.
    """

    values: Float32Array
    mean: float
    std: float

    def pad(self, count: int) -> "Numeric":
        """The feature with `count` more entities whose value is missing."""
        return replace(self, values=np.pad(self.values, (0, count)))


Feature = Categorical | MultiValued | Numeric
Kind = Literal["categorical", "multi_valued", "numeric"]


@dataclass(frozen=True)
class Features:
    """The side features of one entity type, by name, in alphabetical order."""

    columns: Mapping[str, Feature] = field(default_factory=dict)

    def pad(self, count: int) -> "Features":
        """The features with `count` more entities of which nothing is known."""
        return Features({name: column.pad(count) for name, column in self.columns.items()})

    def schema(self) -> dict[str, dict[str, Any]]:
        """What is needed to encode further entities and to rebuild a tower, as plain values."""
        return {name: _schema(column) for name, column in self.columns.items()}


def _schema(column: Feature) -> dict[str, Any]:
    match column:
        case Categorical():
            return {"kind": "categorical", "categories": list(column.categories)}
        case MultiValued():
            return {"kind": "multi_valued", "categories": list(column.categories)}
        case Numeric():
            return {"kind": "numeric", "mean": column.mean, "std": column.std}
