"""Vectors of length 1."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

SHORTEST = 1e-12
"""A vector that is shorter counts as 0."""


def unit_length(vectors: Tensor) -> Tensor:
    """[count, dim] vectors divided by their lengths; 0 for a vector of 0, whose gradient is 0 too.

    Elsewhere both are those of `torch.nn.functional.normalize`, to the bit. That
    function gives a vector of 0 a gradient of 10^12 times what arrives: a user of one item, known
    by a history without it, would tear its item away from all others.
    """
    unit: Tensor = _UnitLength.apply(vectors)  # type: ignore[no-untyped-call]
    return unit


class _UnitLength(torch.autograd.Function):
    """See `unit_length`."""

    @staticmethod
    def forward(ctx: Any, vectors: Tensor) -> Tensor:
        length = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
        length.masked_fill_(length < SHORTEST, torch.inf)
        unit: Tensor = vectors / length
        ctx.save_for_backward(length, unit)
        return unit

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        length, unit = ctx.saved_tensors
        along = (grad * (unit / length)).sum(dim=1, keepdim=True)
        of_vectors: Tensor = grad / length - unit * along
        return of_vectors
