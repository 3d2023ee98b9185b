"""Exact ranking of the whole catalogue, in blocks of users, with ties broken by item index."""

from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from twotower.common.arrays import Float32Array, Int64Array
from twotower.common.errors import TrainingError
from twotower.data.interactions import ItemLists
from twotower.evaluation.holdout import EvaluationSet
from twotower.evaluation.metrics import Rankings

BLOCK_SCORES = 2**24
"""Scores in memory at once. Constant, as the shape of a matrix product can change its bits."""


class Scorer(Protocol):
    """Anything that scores the catalogue for a user: a model or a baseline."""

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


def rank(scorer: Scorer, target: EvaluationSet, k: int) -> Rankings:
    """Rank the catalogue for every user, leaving out the masked items.

    Args:
        scorer: scores users by index.
        target: users, relevant items and masks.
        k: length of the rankings, at most the size of the catalogue.

    Raises:
        TrainingError: if a score is not finite.
    """
    users = target.users
    rankings = Rankings(
        top=np.empty((len(users), k), dtype=np.int64),
        hits=np.empty((len(users), k), dtype=np.bool_),
        first_relevant=np.empty(len(users), dtype=np.int64),
    )
    block = max(1, min(1024, BLOCK_SCORES // target.num_items))
    for start in range(0, len(users), block):
        rows = slice(start, min(start + block, len(users)))
        # The last block is padded with its first user, so that all products have one shape.
        padded = np.full(block, users[start])
        padded[: rows.stop - start] = users[rows]
        scores = scorer.scores(padded)[: rows.stop - start]
        scores[_pairs(target.masked, rows)] = -torch.inf
        if target.candidates is not None:
            scores[:, torch.from_numpy(~target.candidates)] = -torch.inf
        relevant = _pairs(target.relevant, rows)
        is_relevant = torch.zeros(scores.shape, dtype=torch.bool)
        is_relevant[relevant] = True
        top = stable_top_k(scores, k)
        best = scores.gather(1, top)
        # Infinity and NaN, which torch.topk takes for the largest, would be among the best.
        if not bool((best < torch.inf).all()):
            msg = "the model's scores are not finite"
            raise TrainingError(msg)
        rankings.top[rows] = torch.where(best > -torch.inf, top, -1).numpy()
        rankings.hits[rows] = is_relevant.gather(1, top).numpy()
        rankings.first_relevant[rows] = _first_relevant(scores, relevant)
    return rankings


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


def _pairs(lists: ItemLists, users: slice) -> tuple[Tensor, Tensor]:
    rows, items = lists.rows(users.start, users.stop)
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
    for row, (values_of_row, value, index) in enumerate(
        zip(scores.numpy(), best.numpy(), first.tolist(), strict=True)
    ):
        if index < scores.shape[1]:
            ties = np.count_nonzero(values_of_row[:index] == value)
            ranks[row] = 1 + np.count_nonzero(values_of_row > value) + ties
    return ranks
