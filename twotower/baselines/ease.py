"""EASE: a linear model of the whole history, in closed form."""

import numpy as np
import torch
from scipy.linalg.lapack import dpotrf, dpotri
from threadpoolctl import threadpool_limits
from torch import Tensor

from twotower.baselines.histories import HistoryScorer, histories
from twotower.common.arrays import Float32Array, Float64Array, Int64Array
from twotower.data.interactions import Interactions

MAX_ITEMS = 10_000
"""Largest catalogue: the float64 matrix then takes less than 2 GB, and its inverse a minute."""


class EASE(HistoryScorer):
    """Scores each item by a ridge regression on the other items of the history.

    B = I - P / diag(P) with P = (XᵀX + l2 · I)⁻¹ and X the histories.

    Source: Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019.
    """

    def __init__(
        self, interactions: Interactions, num_users: int, num_items: int, *, l2: float
    ) -> None:
        """Solve for the weights.

        Args:
            interactions: the histories.
            num_users: users that can be scored.
            num_items: size of the catalogue, at most MAX_ITEMS.
            l2: penalty of the ridge regression, > 0.

        Raises:
            ValueError: if the catalogue is too large.
        """
        if num_items > MAX_ITEMS:
            msg = f"EASE takes at most {MAX_ITEMS:,} items, got {num_items:,}"
            raise ValueError(msg)
        self._histories = histories(interactions, num_users, num_items)
        # float32 counts are exact up to 2**24 users of one pair.
        gram = (self._histories.T @ self._histories).toarray().astype(np.float64, order="F")
        gram[np.diag_indices(num_items)] += l2
        # The number of threads would change the bits.
        with threadpool_limits(limits=1, user_api="blas"):
            self._weights = _weights(gram)

    def scores(self, user_idx: Int64Array) -> Tensor:
        """[batch, num_items] float32."""
        scores: Float32Array = self._histories[user_idx] @ self._weights
        return torch.from_numpy(scores)


def _weights(gram: Float64Array) -> Float32Array:
    """[num_items, num_items] float32 weights; `gram`, positive definite, is overwritten."""
    factor, _ = dpotrf(gram, overwrite_a=1)
    inverse, _ = dpotri(factor, overwrite_c=1)  # only its upper triangle is valid
    scale = -np.diag(inverse).astype(np.float32)
    upper = np.triu(inverse.astype(np.float32, order="C"), 1)
    weights: Float32Array = upper + upper.T
    weights /= scale
    return weights
