"""Losses of a batch of (user, item) pairs, as pure functions of tensors."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


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
    """Weighted sum of softmax losses, holding one [batch, candidates] matrix in memory.

    Differentiating the plain expression would keep several, and pass over each.
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
        logits = query @ candidate.T
        if offset is not None:
            logits += offset  # of every column, the positive's included
        if masked is not None:
            logits[masked] = -torch.inf
        rows = torch.arange(len(query), device=query.device)
        wanted = logits[rows, positive]
        if not positive_as_negative:
            logits[rows, positive] = -torch.inf
        # From here on in place: the logits become the terms of the softmax's denominator.
        largest = logits.amax(dim=1)
        alone = largest == -torch.inf  # no negative in the batch: nothing to learn from
        largest = largest.masked_fill(alone, 0.0)
        terms = logits.sub_(largest.unsqueeze(1)).exp_()
        total = terms.sum(dim=1).masked_fill(alone, 1.0)
        share = share.masked_fill(alone, 0.0)
        losses = (largest + total.log() - wanted).masked_fill(alone, 0.0)
        ctx.save_for_backward(query, candidate, positive, share, terms, total)
        return (losses * share).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        query, candidate, positive, share, terms, total = ctx.saved_tensors
        scale = (share * grad).unsqueeze(1)
        scaled = scale / total.unsqueeze(1)
        of_query = scaled * (terms @ candidate) - scale * candidate[positive]
        of_candidate = (terms.T @ (scaled * query)).index_add_(0, positive, scale * query, alpha=-1)
        return of_query, of_candidate, None, None, None, None, None


def accidental_hits(item_idx: Tensor, batch: int) -> tuple[Tensor, Tensor]:
    """Rows and columns of candidates that hold a row's own item without being its positive.

    Args:
        item_idx: [candidates] int64; the first `batch` are the positives of the rows.
        batch: number of rows.

    Returns:
        Two [hits] int64 tensors.
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
