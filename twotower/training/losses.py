"""Losses of a batch of (user, item) pairs, as pure functions of a `Batch`.

`config.training_choices.LOSSES` names them and says which negatives each needs.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from twotower.training.softmax import softmax_among


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
    return softmax_among(
        batch.query / batch.temperature,
        batch.candidate,
        _shares(batch.weight),
        item_idx=batch.item_idx,
        offset=None if batch.log_q is None else -batch.log_q,
        positive_as_negative=positive_as_negative,
    )


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
    return softmax_among(
        batch.query / batch.temperature,
        batch.extra,
        _shares(batch.weight),
        own=batch.item_idx[: len(batch)],
    )


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
