"""The torch module of each kind of side feature, keyed by the kind's name.

An encoder maps indices of entities, [batch] int64, to what a feature adds to their vectors,
[batch, dim] float32: rows of its `inputs()`, [num_entities, num_columns] sparse, times its
`weight`, which is [num_columns, dim] of an embedding and transposed of a linear map. Its values are
buffers that are not saved: they come with the catalogue.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import scipy.sparse
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from twotower.common.arrays import Float64Array, Int64Array
from twotower.data.categories import Categorical, MultiValued
from twotower.data.dense import Dense, Vector
from twotower.data.features import KINDS, Numeric
from twotower.data.text import Text


class Encoder(Protocol):
    """What every encoder is."""

    weight: Tensor

    def __call__(self, idx: Tensor) -> Tensor:
        """[batch] int64 to [batch, dim]."""

    def inputs(self) -> scipy.sparse.csr_array:
        """[num_entities, num_columns] what the weights are multiplied by."""


class CategoricalEncoder(nn.Embedding):
    """The embedding of an entity's category; row 0 is that of unknown or missing ones."""

    def __init__(self, column: Categorical, dim: int) -> None:
        super().__init__(len(column.categories) + 1, dim)
        self.register_buffer("codes", _tensor(column.codes), persistent=False)

    def forward(self, idx: Tensor) -> Tensor:
        """[batch] int64 to [batch, dim]."""
        return super().forward(self.get_buffer("codes")[idx])

    def inputs(self) -> scipy.sparse.csr_array:
        """A 1 in the column of an entity's category."""
        codes = self.get_buffer("codes").numpy()
        offsets = np.arange(len(codes) + 1)
        return _rows(codes, offsets, self.num_embeddings, np.ones(len(codes)))


class MultiValuedEncoder(nn.EmbeddingBag):
    """The mean embedding of an entity's categories; 0 where it has none."""

    def __init__(self, column: MultiValued, dim: int) -> None:
        super().__init__(len(column.categories) + 1, dim, mode="mean")
        self.register_buffer("codes", _tensor(column.codes), persistent=False)
        self.register_buffer("offsets", _tensor(column.offsets), persistent=False)

    def forward(self, idx: Tensor) -> Tensor:  # type: ignore[override]
        """[batch] int64 to [batch, dim]."""
        positions, starts = bags(self.get_buffer("offsets"), idx)
        return super().forward(self.get_buffer("codes")[positions], starts)

    def inputs(self) -> scipy.sparse.csr_array:
        """1 / m in the columns of the m categories of an entity."""
        codes, offsets = self.get_buffer("codes").numpy(), self.get_buffer("offsets").numpy()
        counts = np.diff(offsets)
        return _rows(codes, offsets, self.num_embeddings, np.repeat(1 / counts.clip(1), counts))


class NumericEncoder(nn.Linear):
    """One linear map, without bias, of all numeric features together."""

    def __init__(self, columns: Sequence[Numeric], dim: int) -> None:
        super().__init__(len(columns), dim, bias=False)
        values = np.stack([column.values for column in columns], axis=1)
        self.register_buffer("values", _tensor(values), persistent=False)

    def forward(self, idx: Tensor) -> Tensor:
        """[batch] int64 to [batch, dim]."""
        return super().forward(self.get_buffer("values")[idx])

    def inputs(self) -> scipy.sparse.csr_array:
        """The values themselves."""
        return scipy.sparse.csr_array(self.get_buffer("values").numpy())


class DenseEncoder(nn.Linear):
    """A linear map, without bias, of an entity's vector; 0 where it has none."""

    def __init__(self, column: Dense, dim: int) -> None:
        super().__init__(column.width, dim, bias=False)
        self.register_buffer("values", _tensor(column.values), persistent=False)

    def forward(self, idx: Tensor) -> Tensor:
        """[batch] int64 to [batch, dim]."""
        return super().forward(self.get_buffer("values")[idx])

    def inputs(self) -> scipy.sparse.csr_array:
        """The values themselves."""
        return scipy.sparse.csr_array(self.get_buffer("values").numpy())


COLUMN_ENCODERS: dict[str, Callable[[Any, int], nn.Module]] = {
    Categorical.name: CategoricalEncoder,
    MultiValued.name: MultiValuedEncoder,
    Vector.name: DenseEncoder,
    Text.name: DenseEncoder,
}
"""For kinds of which each column has an encoder of its own."""
SHARED_ENCODERS: dict[str, Callable[[Sequence[Any], int], nn.Module]] = {
    Numeric.name: NumericEncoder,
}
"""For kinds of which one encoder takes all columns, in alphabetical order of their names."""

if missing := KINDS.keys() - COLUMN_ENCODERS.keys() - SHARED_ENCODERS.keys():
    msg = f"kinds of features without an encoder: {', '.join(sorted(missing))}"
    raise NotImplementedError(msg)


def bags(offsets: Tensor, idx: Tensor) -> tuple[Tensor, Tensor]:
    """Positions of the values of the entities `idx`, one after another, and where each's begin.

    Args:
        offsets: [num_entities + 1] int64; values of entity i are at offsets[i]..offsets[i + 1] - 1.
        idx: [batch] int64.
    """
    counts = offsets[idx + 1] - offsets[idx]
    ends = counts.cumsum(0)
    starts = ends - counts
    shift = torch.repeat_interleave(offsets[idx] - starts, counts)
    return torch.arange(len(shift), device=idx.device) + shift, starts


def _rows(
    codes: Int64Array, offsets: Int64Array, width: int, values: Float64Array
) -> scipy.sparse.csr_array:
    """[num_entities, width] values in the columns of the entities' codes."""
    return scipy.sparse.csr_array((values, codes, offsets), (len(offsets) - 1, width))


def _tensor(values: NDArray[Any]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values))
