"""iALS: matrix factorisation of who has which item, by alternating least squares."""

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from twotower.baselines.histories import histories
from twotower.baselines.plan import TrainingData
from twotower.common.arrays import Int64Array
from twotower.data.interactions import Interactions
from twotower.evaluation.ranking import VectorScorer

SWEEPS = 16
"""Passes over users and items; the source uses as many."""
INITIAL_LENGTH = 0.1
"""Expected length of the vectors at the start; the source uses as much."""
SEED = 0
"""Of the start, which hardly matters to where the sweeps end."""
BLOCK_NUMBERS = 2**24
"""Numbers of a block of rows that are solved at once; constant, as their shapes can change bits."""


class IALS(VectorScorer):
    """Inner products of vectors that `ials` has solved for."""

    def __init__(self, users: Tensor, items: Tensor, alpha: float, penalty: float) -> None:
        super().__init__(users.numpy(), items.numpy())
        self._alpha, self._penalty = alpha, penalty

    def scoring(self, users: TrainingData) -> "IALS":
        """The same items, and the best vectors of other users."""
        known = histories(users.interactions, users.num_users, users.num_items)
        vectors = _solved(known, self.item_vecs, self._alpha, self._penalty)
        return IALS(vectors, self.item_vecs, self._alpha, self._penalty)


def ials(
    interactions: Interactions,
    num_users: int,
    num_items: int,
    *,
    dim: int,
    alpha: float,
    penalty: float,
) -> IALS:
    """Vectors w of users and h of items that minimise

        sum over pairs that are known (1 - <w, h>)² + alpha · sum over all pairs <w, h>²
            + penalty · sum over users and items (rows + alpha · others) |vector|²

    where a user has as many `rows` as distinct items, and as many `others` as there are items, and
    an item likewise of users: the regularisation grows with frequency.

    Args:
        interactions: the known pairs.
        num_users: users that can be scored.
        num_items: size of the catalogue.
        dim: length of the vectors.
        alpha: weight of a pair that is not known, > 0.
        penalty: > 0.

    Source: Rendle et al., "Revisiting the performance of iALS on item recommendation benchmarks",
    RecSys 2022, with its exponent of the frequency at 1, as it recommends.
    """  # noqa: D415 - a formula
    by_user = histories(interactions, num_users, num_items)
    by_item = by_user.T.tocsr()
    generator = torch.Generator().manual_seed(SEED)
    items = torch.randn(num_items, dim, generator=generator) * (INITIAL_LENGTH / dim**0.5)
    users = torch.empty(0)
    for _ in range(SWEEPS):
        users = _solved(by_user, items, alpha, penalty)
        items = _solved(by_item, users, alpha, penalty)
    return IALS(users, items, alpha, penalty)


def _solved(known: csr_array, others: Tensor, alpha: float, penalty: float) -> Tensor:
    """[num_rows, dim] the best vectors of one side, given those of the other.

    Args:
        known: [num_rows, num_others] sparse.
        others: [num_others, dim].
        alpha: see `ials`.
        penalty: see `ials`.
    """
    counts = np.diff(known.indptr)
    dim = others.shape[1]
    gram = alpha * (others.T @ others)
    padded = torch.cat([others, torch.zeros(1, dim)])
    solved = torch.zeros(len(counts), dim)
    for rows in _row_blocks(counts, dim):
        chosen = padded[torch.from_numpy(_padded_columns(known, rows))]  # [rows, longest, dim]
        ridge = penalty * torch.from_numpy(counts[rows] + alpha * len(others)).float()
        normal = chosen.mT @ chosen + gram
        normal.diagonal(dim1=1, dim2=2).add_(ridge[:, None])
        factor = torch.linalg.cholesky(normal)
        target = chosen.sum(dim=1)[:, :, None]
        solved[torch.from_numpy(rows)] = torch.cholesky_solve(target, factor)[:, :, 0]
    return solved


def _row_blocks(counts: Int64Array, dim: int) -> list[Int64Array]:
    """Rows that have something, those of like length together."""
    order = np.argsort(counts, kind="stable")[::-1]
    order = order[counts[order] > 0]
    found: list[Int64Array] = []
    start = 0
    while start < len(order):
        of_a_row = dim * max(dim, int(counts[order[start]]))
        stop = start + max(1, BLOCK_NUMBERS // of_a_row)
        found.append(order[start:stop])
        start = stop
    return found


def _padded_columns(known: csr_array, rows: Int64Array) -> Int64Array:
    """[rows, longest] column of each known pair; behind a row's last one the number of columns."""
    counts = np.diff(known.indptr)[rows]
    columns = np.full((len(rows), counts.max()), known.shape[1], dtype=np.int64)
    columns[np.arange(counts.max()) < counts[:, None]] = known[rows].indices
    return columns
