"""Adam, and its form for embedding tables of which a batch uses few rows.

Neither is a `torch.optim.Optimizer`: the first of those imports torch's compiler, a second of CPU.
"""

import math
from collections.abc import Iterable
from typing import Protocol

import torch
from torch import Tensor
from torch.optim.adam import adam

from twotower.training.device import is_queued

BETAS = (0.9, 0.999)
EPSILON = 1e-8


class Optimizer(Protocol):
    """Updates parameters by their gradients.

    Attributes:
        lr: learning rate of the next step; a scalar on the parameters' device, if steps are
            recorded there.
    """

    lr: float | Tensor

    def step(self) -> None:
        """Update what has a gradient."""
        ...


class Adam:
    """What `torch.optim.Adam` does by default, by the same function.

    Source: Kingma and Ba, ICLR 2015.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float | Tensor) -> None:
        """Start with moments of 0.

        Args:
            parameters: with dense gradients.
            lr: see `Optimizer`.
        """
        self.lr = lr
        self._moments = {
            one: (torch.zeros_like(one), torch.zeros_like(one), _no_steps(one, torch.float32, lr))
            for one in parameters
        }

    @torch.no_grad()
    def step(self) -> None:
        """Update the parameters that have a gradient."""
        updated = [one for one in self._moments if one.grad is not None]
        moments = [self._moments[one] for one in updated]
        adam(
            updated,
            [one.grad for one in updated if one.grad is not None],
            [mean for mean, _, _ in moments],
            [square for _, square, _ in moments],
            [],
            [step for _, _, step in moments],
            capturable=isinstance(self.lr, Tensor) and all(one.is_cuda for one in updated),
            amsgrad=False,
            beta1=BETAS[0],
            beta2=BETAS[1],
            lr=self.lr,
            weight_decay=0.0,
            eps=EPSILON,
            maximize=False,
        )


class LazyAdam:
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
            lr: see `Optimizer`.
        """
        self.lr = lr
        self._states = {table: _State(table, lr) for table in tables}

    @torch.no_grad()
    def step(self) -> None:
        """Update the rows that have a gradient."""
        for table, state in self._states.items():
            if table.grad is not None:
                state.steps += 1
                size = _step_size(self.lr, state.steps)
                _update(table, state, *_rows_of(table.grad, state), size)


class _State:
    """Of a table: moments, the number of steps, and room for sums of gradients on a GPU."""

    def __init__(self, table: Tensor, lr: float | Tensor) -> None:
        self.mean, self.square = torch.zeros_like(table), torch.zeros_like(table)
        recorded = isinstance(lr, Tensor)
        self.steps: int | Tensor = _no_steps(table, torch.float64, lr) if recorded else 0
        self.sums = torch.zeros_like(table) if is_queued(table) else None


def _no_steps(parameter: Tensor, dtype: torch.dtype, lr: float | Tensor) -> Tensor:
    """0, beside the parameter if steps are recorded."""
    return torch.zeros((), dtype=dtype, device=parameter.device if isinstance(lr, Tensor) else None)


def _rows_of(gradient: Tensor, state: _State) -> tuple[Tensor, Tensor]:
    """Rows with a gradient, and it; where a row occurs twice, both times with the sum."""
    if state.sums is None:
        gradient = gradient.coalesce()
        return gradient.indices()[0], gradient.values()
    rows = gradient._indices()[0]
    return rows, _sums(state.sums, rows, gradient._values())


def _step_size(lr: float | Tensor, steps: int | Tensor) -> float | Tensor:
    """Learning rate, without the bias of moments that began with 0."""
    of_mean, of_square = (1 - beta**steps for beta in BETAS)
    root = of_square.sqrt() if isinstance(of_square, Tensor) else math.sqrt(of_square)
    return lr * root / of_mean


def _update(
    table: Tensor, state: _State, rows: Tensor, values: Tensor, size: float | Tensor
) -> None:
    mean = _decay(state.mean, rows, values, BETAS[0])
    square = _decay(state.square, rows, values.square(), BETAS[1])
    change = mean.div_(square.sqrt_().add_(EPSILON)).mul_(size)
    _write(table, rows, table.index_select(0, rows).sub_(change))


def _decay(moments: Tensor, rows: Tensor, new: Tensor, beta: float) -> Tensor:
    """[rows, dim] new moments of these rows, which are also written to `moments`."""
    old = moments.index_select(0, rows)
    decayed = (new - old).mul_(1 - beta).add_(old)
    _write(moments, rows, decayed)
    return decayed


def _write(table: Tensor, rows: Tensor, values: Tensor) -> None:
    """Set rows of a table; those of a row that occurs twice are equal."""
    if is_queued(table):
        # Their maximum: to be deterministic, index_copy_ would sort the rows each time.
        places = rows.unsqueeze(1).expand_as(values)
        table.scatter_reduce_(0, places, values, "amax", include_self=False)
    else:
        table.index_copy_(0, rows, values)


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
