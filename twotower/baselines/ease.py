"""EASE: a linear model of the whole history, in closed form."""

from typing import Protocol

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor

from twotower.baselines.histories import HistoryScorer, histories
from twotower.baselines.matrices import blocks, negative_inverse, product
from twotower.common.arrays import Float32Array, FloatArray, Int64Array
from twotower.data.interactions import Interactions

FLOAT64_SIZE = 10_000
"""Rows up to which the Gram matrix is inverted in float64. Beyond, float32 takes half of the time
and a third of the memory, and ranks alike (docs/experiments.md)."""


class EASE(HistoryScorer):
    """Scores each item by a ridge regression on the other items of the history.

    B = I - P / diag(P) with P = (XᵀX + l2 · I)⁻¹ and X the histories. Where there are fewer users
    than items, the same scores come from the Gram matrix of the users: with K = XXᵀ + l2 · I,
    l2 · P = I - XᵀK⁻¹X.

    Source: Steck, "Embarrassingly shallow autoencoders for sparse data", WWW 2019; the dual form by
    the identity of Woodbury.
    """

    def __init__(
        self, interactions: Interactions, num_users: int, num_items: int, *, l2: float
    ) -> None:
        """Solve for the weights.

        Args:
            interactions: the histories.
            num_users: users that can be scored.
            num_items: size of the catalogue. `ease_plan.ease_plan` says what time and memory the
                smaller of the two numbers takes.
            l2: penalty of the ridge regression, > 0.
        """
        self._histories = self._fitted = histories(interactions, num_users, num_items)
        form = _Dual if num_users < num_items else _Primal
        self._form: _Form = form(self._fitted, l2)

    def scores(self, user_idx: Int64Array) -> Tensor:
        """[batch, num_items] float32."""
        rows = user_idx if self._histories is self._fitted else None
        return torch.from_numpy(self._form.scores(self._histories[user_idx], rows))


class _Form(Protocol):
    def __init__(self, fitted: csr_array, l2: float) -> None: ...

    def scores(self, chosen: csr_array, rows: Int64Array | None) -> Float32Array:
        """[batch, num_items] scores of histories.

        Args:
            chosen: [batch, num_items] weights of items.
            rows: [batch] rows of the fitted matrix that `chosen` consists of; None: of others.
        """
        ...


class _Primal(_Form):
    """The weights of every item for every other.

    Attributes:
        weights: [num_items, num_items] B.
    """

    def __init__(self, fitted: csr_array, l2: float) -> None:
        inverse = _negative_inverse(fitted.T.tocsr(), l2)
        inverse /= -np.diag(inverse)
        inverse[np.diag_indices(len(inverse))] = 0.0
        self.weights = inverse.astype(np.float32, copy=False)

    def scores(self, chosen: csr_array, rows: Int64Array | None) -> Float32Array:  # noqa: ARG002
        return product(chosen, self.weights)


class _Dual(_Form):
    """The inverse of the users' Gram matrix.

    Attributes:
        by_item: [num_items, num_users] Xᵀ, its rows compressed.
        inverse: [num_users, num_users] -K⁻¹; up to FLOAT64_SIZE float64, as the products below
            are small differences of large numbers.
        scale: [num_items] l2 · diag(P), in (0, 1].
        l2: penalty.
    """

    def __init__(self, fitted: csr_array, l2: float) -> None:
        self.by_item = fitted.T.tocsr()
        self.inverse = _negative_inverse(fitted, l2)
        self.l2 = l2
        self.scale = np.ones(fitted.shape[1])
        for part in blocks(len(self.inverse)):
            users, items = fitted[part].nonzero()
            explained = self._by_user(self.inverse[part])[users, items]
            self.scale += np.bincount(items, explained, minlength=len(self.scale))

    def scores(self, chosen: csr_array, rows: Int64Array | None) -> Float32Array:
        """The scores; x XᵀK⁻¹ is row u of I - l2 · K⁻¹ where x is row u of X."""
        if rows is None:
            coefficients = -product((chosen @ self.by_item).toarray(), self.inverse)
        else:
            coefficients = self.l2 * self.inverse[rows]
            coefficients[np.arange(len(rows)), rows] += 1.0
        scores = self._by_user(coefficients)
        # What an item says of itself is taken out again, as the diagonal of B is 0.
        own = chosen.tocoo()
        scores[own.row, own.col] -= own.data * (1 - self.scale[own.col])
        scores /= self.scale.astype(scores.dtype)
        return scores.astype(np.float32, copy=False)

    def _by_user(self, coefficients: FloatArray) -> FloatArray:
        """[batch, num_items] coefficients @ X, of [batch, num_users] coefficients."""
        by_item = product(self.by_item, np.ascontiguousarray(coefficients.T))
        return np.ascontiguousarray(by_item.T)


def _negative_inverse(rows: csr_array, l2: float) -> FloatArray:
    """[size, size] -(rows · rowsᵀ + l2 · I)⁻¹, of [size, n] rows of ones."""
    size = rows.shape[0]
    gram = np.empty((size, size), np.float64 if size <= FLOAT64_SIZE else np.float32)
    columns = rows.T.tocsr()
    # By blocks, as the sparse product takes more memory than the dense one where it is full. Counts
    # are exact in float32 up to 2**24 of one pair.
    for part in blocks(size):
        gram[part] = (rows[part] @ columns).toarray()
    gram[np.diag_indices(size)] += l2
    negative_inverse(gram)
    return gram
