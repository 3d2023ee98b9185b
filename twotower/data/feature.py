"""What a side feature is, of whichever kind."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from enum import Enum
from typing import Any, ClassVar, Self

import pyarrow as pa
from numpy.typing import NDArray

from twotower.common.arrays import BoolArray, Int64Array


class Cells(Enum):
    """What the cells of a column are read as."""

    TEXT = "text"
    LISTS = "lists of text"
    NUMBERS = "numbers"
    VECTORS = "vectors"


class Feature(ABC):
    """One feature of all entities of a type; each subclass is a kind.

    Attributes:
        name: of the kind, in params.yaml.
        summary: one line for the docs.
        cells: what a column of this kind is read as.
        keys: of `FeatureConfig` that not every kind has, but this one.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    cells: ClassVar[Cells]
    keys: ClassVar[tuple[str, ...]] = ()

    @classmethod
    @abstractmethod
    def encode(
        cls,
        values: pa.ChunkedArray,
        in_train: BoolArray,
        where: str,
        options: Mapping[str, Any],
    ) -> Self:
        """Encode the cells of all entities.

        Args:
            values: [num_entities] strings, lists of strings, float64, or fixed-size lists of
                float32, as `cells` says; null or NaN where missing.
            in_train: [num_entities] whether the entity occurs in the training split.
            where: table and feature, for messages.
            options: the keys of the feature's declaration, see `FeatureConfig`.

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

    def arrays(self) -> Mapping[str, NDArray[Any]]:
        """What is needed besides the column and is too large for the schema, by a short name."""
        return {}

    def take(self, entities: Int64Array) -> Self:
        """The feature of some of its entities, in this order."""
        column = self.to_arrow().take(pa.array(entities))
        return self.from_arrow(pa.chunked_array([column]), self.schema(), self.arrays())

    @classmethod
    @abstractmethod
    def from_arrow(
        cls,
        column: pa.ChunkedArray,
        schema: Mapping[str, Any],
        arrays: Mapping[str, NDArray[Any]],
    ) -> Self:
        """The feature that was written as this column, schema and arrays."""
