"""The softmax loss among many candidates, a block of rows at a time, with its own gradients.

Autograd on the plain expression would keep several [batch, candidates] matrices in memory; the
scores of a block stay in the processor's cache. On a GPU the blocks are larger, and nothing makes
it wait: no size depends on values that it computes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from twotower.common.arrays import Int64Array
from twotower.training.device import is_queued

BLOCK_SCORES = 2**20
"""Scores that are computed at a time: 4 MiB. Another value gives other bits."""
MIN_BLOCK_ROWS = 128
"""Lower bound of a block's rows for many candidates: their gradients are added per block."""
DEVICE_BLOCK_SCORES = 2**28
"""The same on a GPU: 1 GiB, twice. Fewer, larger products keep it busy."""

Hide = Callable[[Tensor, int], None]
"""Sets the scores of a block, which begins at this row, that must not count to -inf."""


def softmax_among(
    query: Tensor,
    candidate: Tensor,
    share: Tensor,
    *,
    own: Tensor | None = None,
    item_idx: Tensor | None = None,
    offset: Tensor | None = None,
    positive_as_negative: bool = True,
) -> Tensor:
    """Weighted sum of the rows' softmax losses, in nats.

    Args:
        query: [rows, dim] float32, divided by the temperature.
        candidate: [candidates, dim] float32.
        share: [rows] weight of each row.
        own: [rows] int64 position of each row's positive; None: row i's is candidate i.
        item_idx: [candidates] int64 items, to mask a row's own item elsewhere; None: no masks.
        offset: [candidates] float32 added to the scores; None: nothing.
        positive_as_negative: whether the positive is in the denominator too; True with `own`.

    Returns:
        Scalar.
    """
    hide = None if item_idx is None else _hider(item_idx, len(query))
    loss: Tensor = _Softmax.apply(  # type: ignore[no-untyped-call]
        query, candidate, share, own, hide, offset, positive_as_negative
    )
    return loss


class _Softmax(torch.autograd.Function):
    """See `softmax_among`."""

    @staticmethod
    def forward(  # noqa: PLR0917 - apply() takes no keywords
        ctx: Any,
        query: Tensor,
        candidate: Tensor,
        share: Tensor,
        own: Tensor | None,
        hide: Hide | None,
        offset: Tensor | None,
        positive_as_negative: bool,
    ) -> Tensor:
        size = _block_rows(query, candidate)
        scores, shares = query.new_empty(2, size, len(candidate))
        addend = query.new_zeros(()) if offset is None else offset
        loss = query.new_zeros(())
        of_query, of_candidate = torch.empty_like(query), torch.zeros_like(candidate)
        for start in range(0, len(query), size):
            rows = slice(start, start + size)
            block, counted = query[rows], share[rows]
            logits = torch.addmm(addend, block, candidate.T, out=scores[: len(block)])
            if hide is not None:
                hide(logits, start)
            positive = _Own(start, None if own is None else own[rows])
            positives = positive.of(logits).clone()
            if not positive_as_negative:
                positive.put(logits, -torch.inf)
            largest = logits.amax(dim=1)
            if not positive_as_negative:  # rows without any negative teach nothing
                alone = largest == -torch.inf
                positive.put(logits, torch.where(alone, positives, -torch.inf))
            probability = torch.softmax(logits, dim=1, out=shares[: len(block)])
            losses = largest - probability.amax(dim=1).log() - positives
            if not positive_as_negative:
                losses = losses.masked_fill(alone, 0.0)
            loss += (losses * counted).sum()
            positive.put(probability, positive.of(probability) - 1.0)
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


def _block_rows(query: Tensor, candidate: Tensor) -> int:
    scores = DEVICE_BLOCK_SCORES if is_queued(query) else BLOCK_SCORES
    return min(len(query), max(MIN_BLOCK_ROWS, scores // len(candidate)))


@dataclass(frozen=True)
class _Own:
    """The scores of a block's positives.

    Attributes:
        start: row with which the block begins.
        own: [rows] int64 candidate of each; None: those on the diagonal, from `start`.
    """

    start: int
    own: Tensor | None

    def of(self, scores: Tensor) -> Tensor:
        """[rows], perhaps a view."""
        if self.own is None:
            return scores.diagonal(self.start)
        return scores.gather(1, self.own.unsqueeze(1)).squeeze(1)

    def put(self, scores: Tensor, value: Tensor | float) -> None:
        """Set them."""
        if self.own is None:
            scores.diagonal(self.start)[:] = value
        else:
            scores[torch.arange(len(scores), device=scores.device), self.own] = value


def _hider(item_idx: Tensor, rows: int) -> Hide:
    """Hides candidates that equal a row's own item, but for its positive.

    Args:
        item_idx: [candidates] int64; the positives of the rows come first.
        rows: number of rows.
    """
    if is_queued(item_idx):
        return partial(_hide_by_comparison, item_idx)
    return partial(_hide_at, accidental_hits(item_idx.numpy(), rows))


def _hide_by_comparison(item_idx: Tensor, scores: Tensor, start: int) -> None:
    """A pass over all scores, but of a fixed size."""
    same = item_idx[start : start + len(scores)].unsqueeze(1) == item_idx
    same.diagonal(start).fill_(False)
    scores.masked_fill_(same, -torch.inf)


def _hide_at(hits: Int64Array, scores: Tensor, start: int) -> None:
    width = scores.shape[1]
    first, last = np.searchsorted(hits, [start * width, (start + len(scores)) * width])
    if first < last:
        scores.view(-1).numpy()[hits[first:last] - start * width] = -np.inf


def accidental_hits(item_idx: Int64Array, rows: int) -> Int64Array:
    """Candidates that equal a row's own item but are not its positive.

    Args:
        item_idx: [candidates] int64; the positives of the rows come first.
        rows: number of rows.

    Returns:
        [hits] int64 row * candidates + candidate, ascending.
    """
    bits = len(item_idx).bit_length()
    keys = (item_idx << bits) | np.arange(len(item_idx))
    keys.sort()  # 6 times as fast as an argsort
    ordered, position = keys >> bits, keys & ((1 << bits) - 1)
    same = ordered[1:] == ordered[:-1]
    shared = np.zeros(len(ordered), np.bool_)
    shared[1:] = same
    shared[:-1] |= same
    ordered, position = ordered[shared], position[shared]
    first = np.searchsorted(ordered, ordered)
    counts = np.searchsorted(ordered, ordered, side="right") - first
    counts[position >= rows] = 0  # of extra candidates, which are no rows
    ends = counts.cumsum()
    row = position.repeat(counts)
    column = position[np.arange(len(row)) + (first - ends + counts).repeat(counts)]
    hits: Int64Array = (row * len(item_idx) + column)[row != column]
    hits.sort()
    return hits
