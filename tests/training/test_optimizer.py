"""Adam and its lazy form against torch's own."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn.functional import embedding

from twotower.training.optimizer import Adam, LazyAdam


def train(optimizer: Callable[..., Any], threads: int, *, sparse: bool) -> torch.Tensor:
    """A table of 500 rows after 30 steps on batches that hold rows twice, with a falling rate."""
    torch.set_num_threads(threads)
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(500, 8, generator=generator).requires_grad_()
    unused = torch.ones(2, requires_grad=True)
    moving = optimizer([table, unused], lr=0.1)
    for step in range(30):
        rows = torch.randint(100, (64,), generator=generator)
        table.grad = None
        weight = torch.randn(64, 8, generator=generator)
        (embedding(rows, table, sparse=sparse) * weight).sum().backward()
        for group in getattr(moving, "param_groups", ()):
            group["lr"] = 0.1 / (1 + step)
        moving.lr = 0.1 / (1 + step)
        moving.step()
    return table.detach()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("kinds", "sparse"),
    [((LazyAdam, torch.optim.SparseAdam), True), ((Adam, torch.optim.Adam), False)],
    ids=["lazy", "dense"],
)
def test_the_same_bits_as_torch(kinds: tuple[type, type], threads: int, *, sparse: bool) -> None:
    before = torch.get_num_threads()
    try:
        ours, theirs = (train(kind, threads, sparse=sparse) for kind in kinds)
    finally:
        torch.set_num_threads(before)
    assert torch.equal(ours, theirs)


def test_rows_outside_the_batch_stay() -> None:
    table = torch.ones(3, 2, requires_grad=True)
    moving = LazyAdam([table], lr=0.1)
    moving.step()  # without a gradient there is nothing to do
    for _ in range(2):
        table.grad = None
        embedding(torch.tensor([1]), table, sparse=True).sum().backward()
        moving.step()
    assert table.detach()[[0, 2]].tolist() == [[1, 1], [1, 1]]
    assert table.detach()[1].tolist() == pytest.approx([0.8, 0.8])
