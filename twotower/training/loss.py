"""Losses of a batch of (user, item) pairs, as pure functions of tensors."""

import torch
from torch import Tensor


def in_batch_softmax(
    query: Tensor,
    candidate: Tensor,
    item_idx: Tensor,
    *,
    log_q: Tensor | None = None,
    temperature: float = 1.0,
    weight: Tensor | None = None,
) -> Tensor:
    """Mean sampled-softmax loss with in-batch negatives, in nats.

    Args:
        query: [batch, dim] float32.
        candidate: [batch, dim] float32; row i is query i's positive, all others its negatives.
        item_idx: [batch] int64 item of each candidate, to mask accidental hits.
        log_q: [batch] natural log of each candidate's sampling probability; None: no correction.
        temperature: dimensionless, > 0.
        weight: [batch] weight of each row in the mean, >= 0; None: all equal.

    Returns:
        Scalar; 0 where all weights are 0.

    Raises:
        ValueError: if the shapes disagree.

    Source: Yi et al., RecSys 2019, eq. 3.
    """
    if query.shape != candidate.shape or item_idx.shape != query.shape[:1]:
        msg = f"shapes disagree: {query.shape}, {candidate.shape}, {item_idx.shape}"
        raise ValueError(msg)
    logits = query @ candidate.T / temperature
    if log_q is not None:
        logits = logits - log_q  # of every column, the positive's included
    logits = logits.masked_fill(accidental_hits(item_idx), -torch.inf)
    losses = torch.logsumexp(logits, dim=1) - logits.diagonal()
    return weighted_mean(losses, weight)


def accidental_hits(item_idx: Tensor) -> Tensor:
    """[batch, batch] bool: column j holds row i's own item, and j is not i."""
    same = item_idx.unsqueeze(1) == item_idx.unsqueeze(0)
    return same.fill_diagonal_(False)


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
    if weight is None:
        return losses.mean()
    return (losses * weight).sum() / weight.sum().clamp(min=torch.finfo(weight.dtype).tiny)
