"""Exact top-k over the whole catalogue, block by block, with ties broken by item index."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from twotower.common.arrays import BoolArray, Float32Array, Int64Array
from twotower.common.errors import TrainingError
from twotower.data.interactions import ItemLists
from twotower.evaluation.holdout import EvaluationSet

BLOCK_SCORES = 2**24
"""Scores held at a time. Constant, because the shape of a matrix product can change its bits."""


class Scorer(Protocol):
    """Whatever can score the catalogue for a user: a model or a baseline."""

    def scores(self, user_idx: Int64Array) -> Tensor:
        """[batch, num_items] float32; a higher score ranks earlier."""
        ...


class VectorScorer:
    """Inner products of user and item vectors.

    Attributes:
        user_vecs: [num_users, dim] float32.
        item_vecs: [num_items, dim] float32.
    """

    def __init__(self, user_vecs: Float32Array, item_vecs: Float32Array) -> None:
        self.user_vecs = torch.from_numpy(user_vecs)
        self.item_vecs = torch.from_numpy(item_vecs)

    def scores(self, user_idx: Int64Array) -> Tensor:
        """[batch, num_items] inner products."""
        return self.user_vecs[torch.from_numpy(user_idx)] @ self.item_vecs.T


@dataclass(frozen=True)
class RankedBlock:
    """Rankings of consecutive rows of an evaluation set.

    Attributes:
        start: row of the first ranking.
        top: [rows, k] int64 item indices, best first; -1 past the end of the candidates.
        hits: [rows, k] bool, whether the item is relevant.
        first_relevant: [rows] int64 rank, from 1, of the best relevant item; 0 without one.
    """

    start: int
    top: Int64Array
    hits: BoolArray
    first_relevant: Int64Array


def rank(scorer: Scorer, target: EvaluationSet, k: int) -> Iterator[RankedBlock]:
    """Rank the catalogue for every user, leaving out the masked items.

    Args:
        scorer: scores users by index.
        target: who is ranked for, and what is relevant or masked.
        k: length of the rankings, at most the size of the catalogue.

    Raises:
        TrainingError: if a score is not finite.
    """
    users = target.users
    block = max(1, min(1024, BLOCK_SCORES // target.num_items))
    for start in range(0, len(users), block):
        stop = min(start + block, len(users))
        # The last block is padded with its first user, so that all products have one shape.
        padded = np.full(block, users[start])
        padded[: stop - start] = users[start:stop]
        scores = scorer.scores(padded)[: stop - start]
        scores[_pairs(target.masked, start, stop)] = -torch.inf
        relevant = _pairs(target.relevant, start, stop)
        is_relevant = torch.zeros(scores.shape, dtype=torch.bool)
        is_relevant[relevant] = True
        top = stable_top_k(scores, k)
        best = scores.gather(1, top)
        # Infinity and NaN, which torch.topk takes for the largest, would be among the best.
        if not bool((best < torch.inf).all()):
            msg = "the model's scores are not finite"
            raise TrainingError(msg)
        yield RankedBlock(
            start=start,
            top=torch.where(best > -torch.inf, top, -1).numpy(),
            hits=is_relevant.gather(1, top).numpy(),
            first_relevant=_first_relevant(scores, relevant),
        )


def stable_top_k(scores: Tensor, k: int) -> Tensor:
    """Indices of the k largest scores of each row; of equal scores the lower index comes first.

    Args:
        scores: [rows, num_items], without NaN; ranks -inf last.
        k: at most num_items.

    Returns:
        [rows, k] int64.
    """
    values, indices = torch.topk(scores, min(k + 1, scores.shape[1]))
    # torch.topk leaves open which of several equal scores it returns, and in which order.
    order = indices[:, :k].sort(dim=1).indices
    by_index = indices.gather(1, order)
    by_score = values.gather(1, order).sort(dim=1, descending=True, stable=True).indices
    top = by_index.gather(1, by_score)
    if values.shape[1] > k:
        tied = (values[:, k - 1] == values[:, k]).nonzero().squeeze(1)
        if len(tied):
            full = scores[tied].sort(dim=1, descending=True, stable=True).indices
            top[tied] = full[:, :k]
    return top


def _pairs(lists: ItemLists, start: int, stop: int) -> tuple[Tensor, Tensor]:
    rows, items = lists.rows(start, stop)
    return torch.from_numpy(rows), torch.from_numpy(items)


def _first_relevant(scores: Tensor, pairs: tuple[Tensor, Tensor]) -> Int64Array:
    """Rank of each row's best relevant item, counting only the items before it; 0 without one."""
    rows, items = pairs
    values = scores[rows, items]
    none = torch.full((len(scores),), -torch.inf, dtype=scores.dtype)
    best = none.scatter_reduce(0, rows, values, "amax")
    # Of equally good relevant items the one with the lowest index comes first.
    candidates = torch.where(values == best[rows], items, scores.shape[1])
    first = torch.full((len(scores),), scores.shape[1]).scatter_reduce(0, rows, candidates, "amin")
    ranks = np.zeros(len(scores), dtype=np.int64)
    found = zip(scores.numpy(), best.numpy(), first.tolist(), strict=True)
    for row, (block, value, index) in enumerate(found):
        if index < scores.shape[1]:
            ties = np.count_nonzero(block[:index] == value)
            ranks[row] = 1 + np.count_nonzero(block > value) + ties
    return ranks
