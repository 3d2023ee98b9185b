"""Losses of a batch of (user, item) pairs, as pure functions of a `Batch`.

`config.training_choices.LOSSES` names them and says which negatives each needs.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

BLOCK_SCORES = 2**20
"""Scores that the softmax losses compute at a time: 4 MiB. Another value gives other bits."""
MIN_BLOCK_ROWS = 128
"""Lower bound of a block's rows for many candidates: their gradients are added per block."""


@dataclass(frozen=True)
class Batch:
    """What a loss may use of a batch of training rows.

    Attributes:
        query: [rows, dim] float32 user vectors.
        candidate: [rows + extra, dim] float32 item vectors: each row's positive, then the extra
            items that the loss asks for (`Loss.negatives`).
        item_idx: [rows + extra] int64 item of each candidate.
        weight: [rows] float32 weight of each row in the mean, >= 0.
        target: [rows] float32 weight divided by the largest weight of the training rows.
        temperature: dimensionless, > 0; divides the inner products.
        log_q: [rows + extra] float32 natural log of each candidate's sampling probability; None:
            no correction.

    Raises:
        ValueError: if the shapes disagree.
    """

    query: Tensor
    candidate: Tensor
    item_idx: Tensor
    weight: Tensor
    target: Tensor
    temperature: float = 1.0
    log_q: Tensor | None = None

    def __post_init__(self) -> None:
        rows, (count, dim) = len(self), self.candidate.shape
        log_q = self.item_idx if self.log_q is None else self.log_q
        per_row = self.weight.shape == self.target.shape == (rows,)
        per_candidate = self.item_idx.shape == log_q.shape == (count,)
        if not per_row or not per_candidate or count < rows or self.query.shape[1] != dim:
            tensors = {name: part for name, part in vars(self).items() if isinstance(part, Tensor)}
            shapes = ", ".join(f"{name} {list(part.shape)}" for name, part in tensors.items())
            msg = f"shapes disagree: {shapes}"
            raise ValueError(msg)

    def __len__(self) -> int:
        return len(self.query)

    @property
    def positive(self) -> Tensor:
        """[rows, dim] vector of each row's own item."""
        return self.candidate[: len(self)]

    @property
    def extra(self) -> Tensor:
        """[extra, dim] vectors of the items beyond those of the rows."""
        return self.candidate[len(self) :]


def in_batch_softmax(batch: Batch, *, positive_as_negative: bool = True) -> Tensor:
    """Mean softmax loss with the other candidates as negatives, in nats.

    Args:
        batch: with any number of extra items; a row's own item among its negatives is masked.
        positive_as_negative: whether the positive is in the softmax's denominator too, as it is in
            a probability.

    Returns:
        Scalar; 0 where all weights are 0.

    Sources: in-batch negatives and logQ: Yi et al., RecSys 2019, eq. 3; extra negatives: Yang et
    al., "Mixed negative sampling", WWW 2020.
    """
    rows = torch.arange(len(batch), device=batch.query.device)
    loss: Tensor = _Softmax.apply(  # type: ignore[no-untyped-call]
        batch.query / batch.temperature,
        batch.candidate,
        rows,
        None if batch.log_q is None else -batch.log_q,
        accidental_hits(batch.item_idx, len(batch)),
        _shares(batch.weight),
        positive_as_negative,
    )
    return loss


def bilateral_softmax(batch: Batch) -> Tensor:
    """`in_batch_softmax` without the positive in the denominator.

    Up to a constant, this is the bilateral softmax loss with one temperature.

    Source: Wu et al., "BSL", ICDE 2024.
    """
    return in_batch_softmax(batch, positive_as_negative=False)


def sampled_softmax(batch: Batch) -> Tensor:
    """Mean softmax loss of each row's positive among the extra items, in nats.

    Args:
        batch: its extra items are the negatives of all rows; a row's own item among them is masked.

    Returns:
        Scalar; 0 where all weights are 0.

    Source: Bengio and Senécal, IEEE Transactions on Neural Networks 2008, with shared samples.
    """
    query = batch.query / batch.temperature
    positive = (query * batch.positive).sum(dim=1)
    others = query @ batch.extra.T
    if batch.log_q is not None:
        positive = positive - batch.log_q[: len(batch)]
        others = others - batch.log_q[len(batch) :]
    own, extra = batch.item_idx[: len(batch)], batch.item_idx[len(batch) :]
    others = others.masked_fill(own.unsqueeze(1) == extra, -torch.inf)
    losses = torch.cat([positive.unsqueeze(1), others], dim=1).logsumexp(dim=1) - positive
    return (losses * _shares(batch.weight)).sum()


def full_softmax(batch: Batch) -> Tensor:
    """Mean softmax loss over the whole catalogue, in nats.

    Args:
        batch: its extra items are the catalogue, in order.
    """
    loss: Tensor = _Softmax.apply(  # type: ignore[no-untyped-call]
        batch.query / batch.temperature,
        batch.extra,
        batch.item_idx[: len(batch)],
        None,
        None,
        _shares(batch.weight),
        True,
    )
    return loss


class _Softmax(torch.autograd.Function):
    """Weighted sum of softmax losses, a block of rows at a time, each with its gradients.

    Autograd on the plain expression would keep several [batch, candidates] matrices in memory; the
    scores of a block stay in the processor's cache.
    """

    @staticmethod
    def forward(  # noqa: PLR0917 - apply() takes no keywords
        ctx: Any,
        query: Tensor,
        candidate: Tensor,
        positive: Tensor,
        offset: Tensor | None,
        masked: tuple[Tensor, Tensor] | None,
        share: Tensor,
        positive_as_negative: bool,
    ) -> Tensor:
        size = min(len(query), max(MIN_BLOCK_ROWS, BLOCK_SCORES // len(candidate)))
        scores, shares = query.new_empty(2, size, len(candidate))
        addend = query.new_zeros(()) if offset is None else offset
        hidden = _split(masked, size, len(query))
        loss = query.new_zeros(())
        of_query, of_candidate = torch.empty_like(query), torch.zeros_like(candidate)
        for start in range(0, len(query), size):
            rows = slice(start, start + size)
            block, own, counted = query[rows], positive[rows], share[rows]
            each = torch.arange(len(block), device=query.device)
            logits = torch.addmm(addend, block, candidate.T, out=scores[: len(block)])
            logits[next(hidden)] = -torch.inf
            positives = logits[each, own]
            if not positive_as_negative:
                logits[each, own] = -torch.inf
            largest = logits.amax(dim=1)
            probability = torch.softmax(logits, dim=1, out=shares[: len(block)])
            losses = largest - probability.amax(dim=1).log() - positives
            if not positive_as_negative:
                alone = largest == -torch.inf  # rows without any negative teach nothing
                losses, counted = losses.masked_fill(alone, 0.0), counted.masked_fill(alone, 0.0)
                probability[alone] = 0.0
            loss += (losses * counted).sum()
            probability[each, own] -= 1.0
            counted = counted.unsqueeze(1)
            torch.mul(probability @ candidate, counted, out=of_query[rows])
            of_candidate.addmm_(probability.T, counted * block)
        ctx.save_for_backward(of_query, of_candidate)
        return loss

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        of_query, of_candidate = ctx.saved_tensors
        return of_query * grad, of_candidate * grad, None, None, None, None, None


def _split(
    masked: tuple[Tensor, Tensor] | None, size: int, count: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Rows, counted from the start of the block, and columns of each block of `size` rows.

    Args:
        masked: two [hits] int64, rows ascending; None: none.
        size: of a block.
        count: rows of all blocks.
    """
    starts = range(0, count, size)
    if masked is None:
        nothing = torch.empty(0, dtype=torch.int64)
        yield from ((nothing, nothing) for _ in starts)
        return
    rows, columns = masked
    bounds = torch.searchsorted(rows, torch.tensor([*starts, count], device=rows.device)).tolist()
    for start, (first, last) in zip(starts, itertools.pairwise(bounds), strict=True):
        yield rows[first:last] - start, columns[first:last]


def accidental_hits(item_idx: Tensor, batch: int) -> tuple[Tensor, Tensor]:
    """Rows and columns of candidates that equal a row's own item but are not its positive.

    Args:
        item_idx: [candidates] int64; the positives of the rows come first.
        batch: number of rows.

    Returns:
        Two [hits] int64 tensors, the rows ascending.
    """
    ordered, order = item_idx.sort(stable=True)
    own = item_idx[:batch]
    first = torch.searchsorted(ordered, own)
    counts = torch.searchsorted(ordered, own, right=True) - first
    ends = counts.cumsum(0)
    rows = torch.repeat_interleave(torch.arange(batch, device=own.device), counts)
    positions = torch.arange(len(rows), device=own.device) - (ends - counts)[rows] + first[rows]
    columns = order[positions]
    other = rows != columns
    return rows[other], columns[other]


def bayesian_personalised_ranking(batch: Batch) -> Tensor:
    """Mean of -log sigmoid of the positive's lead over a random item, in nats.

    Args:
        batch: its extra items are the negatives, one per row.

    Source: Rendle et al., UAI 2009.
    """
    lead = (batch.query * (batch.positive - batch.extra)).sum(dim=1) / batch.temperature
    return (-torch.nn.functional.logsigmoid(lead) * _shares(batch.weight)).sum()


def squared_error(batch: Batch) -> Tensor:
    """Mean squared difference between the inner products of observed pairs and their targets."""
    return ((batch.query * batch.positive).sum(dim=1) - batch.target).square().mean()


def _shares(weight: Tensor) -> Tensor:
    """[rows] share of each row in a weighted mean; 0 where all weights are 0."""
    return weight / weight.sum().clamp(min=torch.finfo(weight.dtype).tiny)
