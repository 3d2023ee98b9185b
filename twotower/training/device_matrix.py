"""Sparse matrices in torch, for products on a GPU that have the same bits each time."""

from dataclasses import dataclass

import numpy as np
import scipy.sparse
import torch
from torch import Tensor, nn

from twotower.common.arrays import Int64Array


@dataclass(frozen=True)
class DeviceMatrix:
    """A matrix in compressed sparse rows, on a device.

    Attributes:
        offsets: [num_rows + 1] int64, in the memory of the host.
        starts: [num_rows + 1] int64, the same on the device.
        columns: [total] int64.
        values: [total] float32.
    """

    offsets: Int64Array
    starts: Tensor
    columns: Tensor
    values: Tensor

    @classmethod
    def of(cls, matrix: scipy.sparse.csr_array, device: torch.device | str) -> "DeviceMatrix":
        """Move a matrix.

        Args:
            matrix: of numbers that float32 has room for.
            device: of torch.
        """
        offsets = matrix.indptr.astype(np.int64)
        values = matrix.data.astype(np.float32, copy=False)
        arrays = offsets, matrix.indices.astype(np.int64), values
        return cls(offsets, *(torch.from_numpy(array).to(device) for array in arrays))

    def times(self, dense: Tensor, start: int = 0, stop: int | None = None) -> Tensor:
        """[stop - start, width] product of the rows from `start` to `stop` - 1.

        cuSPARSE adds in an order that may differ from run to run; pooling has one order.

        Args:
            dense: [num_columns, width] float32, on the same device.
            start: first row.
            stop: past the last row; None: all from `start` on.
        """
        stop = len(self.offsets) - 1 if stop is None else stop
        part = slice(self.offsets[start], self.offsets[stop])
        return nn.functional.embedding_bag(
            self.columns[part],
            dense,
            self.starts[start:stop] - self.starts[start],
            mode="sum",
            per_sample_weights=self.values[part],
        )
