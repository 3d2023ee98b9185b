"""Losses of a batch of (user, item) pairs, as pure functions of tensors."""

import itertools
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

BLOCK_SCORES = 2**20
"""Scores that the softmax losses hold at a time: 4 MiB. Constant, because it changes the bits."""
MIN_BLOCK_ROWS = 128
"""Rows of a block however many candidates there are: their gradients are added block by block."""


def sampled_softmax(
    query: Tensor,
    candidate: Tensor,
    item_idx: Tensor,
    *,
    log_q: Tensor | None = None,
    temperature: float = 1.0,
    weight: Tensor | None = None,
    positive_as_negative: bool = True,
) -> Tensor:
    """Mean softmax loss with the batch's items, and possibly more, as negatives, in nats.

    Args:
        query: [batch, dim] float32.
        candidate: [batch + extra, dim] float32; row i is query i's positive, all others its
            negatives.
        item_idx: [batch + extra] int64 item of each candidate, to mask accidental hits.
        log_q: [batch + extra] natural log of each candidate's sampling probability; None: no
            correction.
        temperature: dimensionless, > 0.
        weight: [batch] weight of each row in the mean, >= 0; None: all equal.
        positive_as_negative: whether the positive is in the softmax's denominator too, as it is in
            a probability. Without it the loss is the bilateral softmax's with one temperature,
            less a constant.

    Returns:
        Scalar; 0 where all weights are 0.

    Raises:
        ValueError: if the shapes disagree.

    Sources: in-batch negatives and logQ: Yi et al., RecSys 2019, eq. 3; extra negatives: Yang et
    al., "Mixed negative sampling", WWW 2020; without the positive: Wu et al., "BSL", ICDE 2024.
    """
    batch = len(query)
    shapes = item_idx.shape == candidate.shape[:1] and query.shape[1:] == candidate.shape[1:]
    if not shapes or len(candidate) < batch:
        msg = f"shapes disagree: {query.shape}, {candidate.shape}, {item_idx.shape}"
        raise ValueError(msg)
    masked = accidental_hits(item_idx, batch)
    rows = torch.arange(batch, device=query.device)
    loss: Tensor = _Softmax.apply(  # type: ignore[no-untyped-call]
        query / temperature,
        candidate,
        rows,
        None if log_q is None else -log_q,
        masked,
        _shares(weight, rows),
        positive_as_negative,
    )
    return loss


def full_softmax(
    query: Tensor,
    candidate: Tensor,
    positive: Tensor,
    *,
    temperature: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """Mean softmax loss over the whole catalogue, in nats.

    Args:
        query: [batch, dim] float32.
        candidate: [num_items, dim] float32, all items.
        positive: [batch] int64 item of each query.
        temperature: dimensionless, > 0.
        weight: [batch] weight of each row in the mean, >= 0; None: all equal.
    """
    shares = _shares(weight, positive)
    loss: Tensor = _Softmax.apply(  # type: ignore[no-untyped-call]
        query / temperature, candidate, positive, None, None, shares, True
    )
    return loss


class _Softmax(torch.autograd.Function):
    """Weighted sum of softmax losses, a block of rows at a time, each with its gradients.

    Differentiating the plain expression would keep several [batch, candidates] matrices, and pass
    over each in memory; the scores of a block stay in the processor's cache.
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
            wanted = logits[each, own]
            if not positive_as_negative:
                logits[each, own] = -torch.inf
            largest = logits.amax(dim=1)
            probability = torch.softmax(logits, dim=1, out=shares[: len(block)])
            losses = largest - probability.amax(dim=1).log() - wanted
            if not positive_as_negative:
                alone = largest == -torch.inf  # no negative in the batch: nothing to learn from
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
    """The rows, counted within the block, and columns of each block of `size` rows.

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
    """Rows and columns of candidates that hold a row's own item without being its positive.

    Args:
        item_idx: [candidates] int64; the first `batch` are the positives of the rows.
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
    places = torch.arange(len(rows), device=own.device) - (ends - counts)[rows] + first[rows]
    columns = order[places]
    other = rows != columns
    return rows[other], columns[other]


def bayesian_personalised_ranking(
    query: Tensor,
    candidate: Tensor,
    negative: Tensor,
    *,
    temperature: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """Mean of -log sigmoid of the positive's lead over the negative, in nats.

    Args:
        query: [batch, dim] float32.
        candidate: [batch, dim] float32 positives.
        negative: [batch, dim] float32.
        temperature: dimensionless, > 0.
        weight: [batch] weight of each row in the mean, >= 0; None: all equal.

    Source: Rendle et al., UAI 2009.
    """
    lead = (query * (candidate - negative)).sum(dim=1) / temperature
    return weighted_mean(-torch.nn.functional.logsigmoid(lead), weight)


def squared_error(query: Tensor, candidate: Tensor, target: Tensor) -> Tensor:
    """Mean squared difference between the inner products of observed pairs and their targets.

    Args:
        query: [batch, dim] float32.
        candidate: [batch, dim] float32; row i belongs to query i.
        target: [batch] float32.

    Raises:
        ValueError: if the shapes disagree.
    """
    if query.shape != candidate.shape or target.shape != query.shape[:1]:
        msg = f"shapes disagree: {query.shape}, {candidate.shape}, {target.shape}"
        raise ValueError(msg)
    return ((query * candidate).sum(dim=1) - target).square().mean()


def weighted_mean(losses: Tensor, weight: Tensor | None) -> Tensor:
    """Mean of [batch] losses; 0 where all weights are 0."""
    return (losses * _shares(weight, losses)).sum()


def _shares(weight: Tensor | None, rows: Tensor) -> Tensor:
    """[batch] float32 share of each row in a weighted mean."""
    if weight is None:
        return torch.full(rows.shape, 1 / len(rows), dtype=torch.float32, device=rows.device)
    return weight / weight.sum().clamp(min=torch.finfo(weight.dtype).tiny)
