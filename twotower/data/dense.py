"""Side features that are a vector per entity."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from twotower.common.arrays import BoolArray, Float32Array, Float64Array
from twotower.common.errors import DataError
from twotower.common.files import round_float
from twotower.data.feature import Cells, Feature


@dataclass(frozen=True)
class Dense(Feature):
    """One vector per entity, which a tower maps linearly.

    Attributes:
        values: [num_entities, width] float32; zeros where missing.
    """

    values: Float32Array

    @property
    def width(self) -> int:
        """Elements of a vector."""
        return int(self.values.shape[1])

    @property
    def num_missing(self) -> int:
        """Entities that have no vector, or one of zeros."""
        return int(np.count_nonzero(~self.values.any(axis=1)))

    def pad(self, count: int) -> Self:
        """The feature with `count` more entities that have no vector."""
        return replace(self, values=np.pad(self.values, ((0, count), (0, 0))))

    def concat(self, other: Self) -> Self:
        """The entities of this feature, then those of another with its schema."""
        return replace(self, values=np.concatenate([self.values, other.values]))

    def to_arrow(self) -> pa.Array:
        """[num_entities] lists of `width` float32."""
        flat = pa.array(np.ascontiguousarray(self.values).reshape(-1))
        return pa.FixedSizeListArray.from_arrays(flat, self.width)


@dataclass(frozen=True)
class Vector(Dense):
    """Vectors from elsewhere, of mean squared length 1, or of length 1 each.

    Attributes:
        normalise: whether each has length 1.
        scale: what the raw vectors were divided by otherwise, the root of their mean squared length
            over the entities of the training split; else 1.
    """

    name = "vector"
    summary = "one vector per entity, such as an embedding; the tower learns a linear map of it"
    cells = Cells.VECTORS
    keys = ("normalise", "file", "ids")

    normalise: bool
    scale: float

    @classmethod
    def encode(
        cls,
        values: pa.ChunkedArray,
        in_train: BoolArray,
        where: str,  # noqa: ARG003
        options: Mapping[str, Any],
    ) -> Self:
        """Scale the vectors; see `Feature.encode`."""
        vectors, scale = rows_of_lists(values), 1.0
        if not options["normalise"]:
            squares = _squared_lengths(vectors)[in_train]
            present = squares[squares > 0]
            scale = round_float(float(np.sqrt(present.mean()))) if len(present) else 1.0
        return cls(_scaled(vectors, scale, options["normalise"]), options["normalise"], scale)

    def encode_more(self, values: pa.ChunkedArray, where: str) -> tuple[Self, int]:
        """Further vectors, scaled likewise, and 0: they have no categories.

        Raises:
            DataError: if they have another width.
        """
        vectors = rows_of_lists(values)
        if vectors.shape[1] != self.width:
            msg = f"{where}: vectors must have {self.width} elements, got {vectors.shape[1]}"
            raise DataError(msg)
        return replace(self, values=_scaled(vectors, self.scale, self.normalise)), 0

    def schema(self) -> dict[str, Any]:
        """Width and scale."""
        return {"width": self.width, "normalise": self.normalise, "scale": self.scale}

    @classmethod
    def from_arrow(
        cls,
        column: pa.ChunkedArray,
        schema: Mapping[str, Any],
        arrays: Mapping[str, NDArray[Any]],  # noqa: ARG003
    ) -> Self:
        """See `Feature.from_arrow`."""
        return cls(rows_of_lists(column), schema["normalise"], schema["scale"])


def rows_of_lists(column: pa.ChunkedArray) -> Float32Array:
    """[num_entities, width] float32, a copy, from fixed-size lists; zeros where null."""
    width = column.type.list_size
    rows = np.empty((len(column), width), dtype=np.float32)
    start = 0
    for chunk in column.chunks:
        block = rows[start : start + len(chunk)]
        flat = chunk.values.slice(chunk.offset * width, len(chunk) * width)
        block[:] = flat.to_numpy(zero_copy_only=False).reshape(len(chunk), width)
        block[chunk.is_null().to_numpy(zero_copy_only=False)] = 0.0
        start += len(chunk)
    return rows


def _scaled(vectors: Float32Array, scale: float, normalise: bool) -> Float32Array:
    """The vectors, divided in place by their own lengths or by `scale`."""
    if normalise:
        lengths = np.sqrt(_squared_lengths(vectors)).astype(np.float32)
        vectors /= np.where(lengths > 0, lengths, 1.0)[:, np.newaxis]
    else:
        vectors /= np.float32(scale)
    return vectors


def _squared_lengths(vectors: Float32Array) -> Float64Array:
    squares: Float64Array = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
    return squares
