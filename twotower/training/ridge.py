"""Item vectors by ridge regression on the users' vectors, each without the item's own part.

With x_u the spectral vector of user u, a sum over the items in the user's history, the vector of
item i minimises

    sum over users u of (R_ui - <x_u without i, w>)^2 + penalty * |w|^2

so that an item is predicted from the other items of its users, as in gradient training. For each
item only the rows of its own users differ from the common regression, which makes its Gram matrix a
rank-two update of the common one: one factorisation serves all items.

Sources: regression of each item on the others: Ning and Karypis, "SLIM", ICDM 2011; Steck,
"Embarrassingly shallow autoencoders for sparse data", WWW 2019; on low-rank users: Sedhain et al.,
"On the effectiveness of linear models for one-class collaborative filtering", AAAI 2016.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from twotower.common.arrays import Float32Array, Float64Array
from twotower.config.training import ModelConfig
from twotower.training.device_matrix import DeviceMatrix
from twotower.training.history import History, unit_mean_length
from twotower.training.spectral import normalised

ITEM_BLOCK = 4096
"""Items solved for at a time. Constant, because the shape of a product can change its bits."""


def ridge_items(
    in_history: Float32Array,
    history: History,
    config: ModelConfig,
    *,
    threads: int,
    device: str = "cpu",
) -> Float32Array:
    """Item vectors by ridge regression on the pooled histories of the users.

    The regression ignores recency, since its targets may lie anywhere in a history.

    Args:
        in_history: [num_items, dim] float32 vectors with which items enter a history; dimensions
            that are 0 for all items stay 0.
        history: of the training rows.
        config: section `model`.
        threads: of linear algebra; another number gives slightly different results.
        device: of torch, where it is computed; another one too.

    Returns:
        [num_items, dim] float32, of mean length 1; 0 for an item without rows.
    """
    target = history.matrix()
    target = target / max(
        target.data.max(), np.float32(1e-30)
    )  # the ranking does not depend on the scale
    # The weight of each item in each user, as in `History.pooling` without recency.
    exponents = config.user_exponent, config.item_exponent + config.popularity_exponent
    pooling = normalised(target, *exponents)
    if device == "cpu":
        items = _solve_on_cpu(in_history, target, pooling, config.ridge_penalty, threads)
    else:
        items = solve_on_device(in_history, target, pooling, config.ridge_penalty, device)
    return unit_mean_length(items)


def _solve_on_cpu(
    in_history: Float32Array, target: Any, pooling: Any, ridge_penalty: float, threads: int
) -> Float32Array:
    """[num_items, dim] solutions; see `_solve` for the arguments, here of all items."""
    from scipy.linalg import cho_factor
    from threadpoolctl import threadpool_limits

    with threadpool_limits(threads, user_api="blas"):
        users = pooling @ in_history
        gram = (users.T @ users).astype(np.float64)
        factor = cho_factor(gram + _penalty(gram, ridge_penalty) * np.eye(len(gram)), lower=True)
        columns = target.tocsc(), pooling.tocsc()
        blocks = [
            _solve(factor, users, in_history[start : start + ITEM_BLOCK], *(
                matrix[:, start : start + ITEM_BLOCK] for matrix in columns
            ))
            for start in range(0, len(in_history), ITEM_BLOCK)
        ]  # fmt: skip
    return np.concatenate(blocks)


def solve_on_device(
    in_history: Float32Array, target: Any, pooling: Any, ridge_penalty: float, device: str
) -> Float32Array:
    """The same in torch, up to rounding."""
    own = torch.from_numpy(in_history).to(device)
    users = DeviceMatrix.of(pooling, device).times(own)
    gram = (users.T @ users).double()
    penalty = _penalty(gram.cpu().numpy(), ridge_penalty)
    factor = torch.linalg.cholesky(gram + penalty * torch.eye(len(gram)).to(gram))
    of_target, of_pooling = (
        DeviceMatrix.of(matrix.T.tocsr(), device) for matrix in (target, pooling)
    )
    squares, shared = (
        torch.from_numpy(_column_sums(matrix * pooling)).to(device) for matrix in (pooling, target)
    )
    blocks = []
    for start in range(0, len(own), ITEM_BLOCK):
        rows = slice(start, min(start + ITEM_BLOCK, len(own)))
        a = own[rows].double()
        s = of_pooling.times(users, rows.start, rows.stop).double()
        right = of_target.times(users, rows.start, rows.stop).double() - shared[rows, None] * a
        solved = torch.cholesky_solve(torch.cat([right, a, s]).T, factor).T
        blocks.append(_without_own(a, s, squares[rows], solved.chunk(3), _dot).float())
    return torch.cat(blocks).cpu().numpy()


def _penalty(gram: Float64Array, ridge_penalty: float) -> float:
    """What is added to the diagonal: a share of its mean where it is not 0."""
    used = max(1, np.count_nonzero(gram.diagonal()))
    return float(ridge_penalty * np.trace(gram) / used or 1.0)  # 1.0 if all users are 0


def _solve(
    factor: Any, users: Float32Array, own: Float32Array, target: Any, pooling: Any
) -> Float32Array:
    """[block, dim] solutions for a block of items.

    Args:
        factor: of Cholesky, of G with the penalty.
        users: [num_users, dim] x.
        own: [block, dim] a.
        target: [num_users, block] sparse R.
        pooling: [num_users, block] sparse o.
    """
    from scipy.linalg import cho_solve

    a = own.astype(np.float64)
    s = (pooling.T @ users).astype(np.float64)
    n = _column_sums(pooling * pooling)
    right = (target.T @ users).astype(np.float64) - _column_sums(target * pooling)[:, None] * a
    solved = cho_solve(factor, np.concatenate([right, a, s]).T).T

    def dot(left: Float64Array, right: Float64Array) -> Float64Array:
        return np.asarray(np.einsum("ij,ij->i", left, right))

    solutions: Float32Array = _without_own(a, s, n, np.split(solved, 3), dot).astype(np.float32)
    return solutions


def _without_own(a: Any, s: Any, n: Any, solved: Sequence[Any], dot: Any) -> Any:
    """[block, dim] solutions, of arrays or of tensors.

    User u without item i is x_u - o_ui a_i, so that with s_i = sum of o_ui x_u and n_i = sum of
    o_ui^2 the Gram matrix of item i is G - s_i a_i' - a_i s_i' + n_i a_i a_i'. Woodbury's identity
    inverts it by a system of two unknowns, y and z.

    Args:
        a: [block, dim].
        s: [block, dim].
        n: [block].
        solved: G's inverse times the right sides of the items, times a and times s.
        dot: [block] inner products of rows.
    """
    of_right, of_a, of_s = solved
    aa, cross, ss = dot(a, of_a), dot(a, of_s) - 1, dot(s, of_s) - n
    ar, sr = dot(a, of_right), dot(s, of_right)
    determinant = aa * ss - cross**2
    y, z = (ss * ar - cross * sr) / determinant, (aa * sr - cross * ar) / determinant
    return of_right - y[:, None] * of_a - z[:, None] * of_s


def _dot(left: Tensor, right: Tensor) -> Tensor:
    return (left * right).sum(dim=1)


def _column_sums(matrix: Any) -> Float64Array:
    return np.asarray(matrix.sum(axis=0, dtype=np.float64)).ravel()
