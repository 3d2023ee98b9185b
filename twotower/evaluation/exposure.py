"""Metrics of what is shown, whether or not it is relevant: coverage, Gini index, novelty.

`config` imports this with the table of metrics, so nothing here imports torch or pandas.
"""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from twotower.common.arrays import Float64Array, Int64Array

if TYPE_CHECKING:
    from twotower.evaluation.holdout import EvaluationSet
    from twotower.evaluation.metrics import Rankings

MAX_GROUPS = 256
"""Groups of items that are told apart by how many rankings a random one may show them in."""


def coverage(rankings: "Rankings", target: "EvaluationSet", k: int) -> Float64Array:
    """Share of the catalogue that is in at least one user's top k."""
    shown = np.count_nonzero(_times_shown(rankings, target, k))
    return np.asarray(shown / target.num_ranked)


def expected_coverage(target: "EvaluationSet", k: int) -> Float64Array:
    """In closed form.

    User u, who has n_u candidates, is shown each of them with probability min(k, n_u) / n_u; no
    user is shown an item with the product of the complements.
    """
    share = _share_shown(target, k)
    certain = share == 1.0  # log(1 - share) is -inf
    missed = np.where(certain, 0.0, np.log1p(-np.where(certain, 0.0, share)))
    log_missed, sure = _sum_over_users(target, missed), _sum_over_users(target, certain)
    return np.asarray(np.where(sure > 0.5, 1.0, -np.expm1(log_missed)).mean())


def gini(rankings: "Rankings", target: "EvaluationSet", k: int) -> Float64Array:
    """Gini index of how often the items are shown: 0 if all equally, near 1 if one is each time.

    Of the catalogue, items that nobody is shown included; 0 if nothing is shown.
    """
    size = target.num_ranked
    exposure = np.sort(_ranked(target, _times_shown(rankings, target, k)))
    weight = 2.0 * np.arange(1, size + 1) - size - 1
    return np.asarray(weight @ exposure / max(size * exposure.sum(), 1))


def expected_gini(target: "EvaluationSet", k: int) -> Float64Array:
    """In closed form: exact without masks while k is below about half of the catalogue, else close.

    With x_i the number of users who are shown item i, the index is the sum over all pairs of
    |x_i - x_j|, divided by the catalogue's size and the sum of x. Items that are drawn for one
    user exclude each other. Therefore each user shows an item independently with the chance
    that gives the difference of two items the variance that it has when they do; without masks,
    that difference then has exactly the right distribution. The sum over users is taken as
    binomial, with mean and variance of the true one.
    """
    from scipy.special import bdtr

    share, size = _share_shown(target, k), target.num_candidates
    variance = share * (1 - share) * size / np.maximum(size - 1, 1)
    half_width = np.sqrt(np.maximum(1 - 4 * variance, 0)) / 2
    chance = 0.5 + np.where(share > 0.5, half_width, -half_width)
    if not chance.any():
        return np.asarray(0.0)
    # Sums, not products of BLAS, which adds in an order that depends on the number of its threads.
    common = np.square(chance).sum() / chance.sum()
    trials = _sum_over_users(target, chance) / common
    step = max(1, len(target) // MAX_GROUPS)
    groups, counts = np.unique(np.rint(trials / step) * step, return_counts=True)
    margin = 10 * np.sqrt(groups[-1] * common + 1)
    low, high = max(0, groups[0] * common - margin), min(groups[-1], groups[-1] * common + margin)
    shown = np.arange(np.floor(low), np.ceil(high) + 1)
    at_most = bdtr(shown, groups[:, None].astype(np.int64), common)
    at_most[shown >= groups[:, None]] = 1.0  # bdtr is NaN there
    weighted = counts[:, None] * at_most
    pooled, with_itself = weighted.sum(axis=0), (weighted * (1 - at_most)).sum(axis=0)
    pairs = (pooled * (target.num_ranked - pooled) - with_itself).sum()
    return np.asarray(pairs / (target.num_ranked * _sum_over_users(target, share).sum()))


def novelty(rankings: "Rankings", target: "EvaluationSet", k: int) -> Float64Array:
    """Mean over each user's top k of -log2 p, where p is the share of users who have the item.

    Of the users with training rows; an item that none of them has counts as if one had it.

    Source: Zhou et al., PNAS 2010.
    """
    top = rankings.top[:, :k]
    shown = top >= 0
    bits = np.where(shown, target.information[top], 0.0)
    means: Float64Array = bits.sum(axis=1) / np.maximum(shown.sum(axis=1), 1)
    return means


def expected_novelty(target: "EvaluationSet", _k: int) -> Float64Array:
    """The mean over each user's candidates."""
    return mean_over_candidates(target, target.information)


def mean_over_candidates(target: "EvaluationSet", values: NDArray[Any]) -> Float64Array:
    """[num_users] mean of the values of the items that are not masked; 0 if all are.

    Args:
        target: users and masks.
        values: [num_items].
    """
    users, masked = target.masked.rows(0, len(target))
    hidden = np.bincount(users, values[masked], minlength=len(target))
    total = _ranked(target, values).sum()
    sums = np.where(target.num_candidates > 0, total - hidden, 0.0)
    means: Float64Array = sums / np.maximum(target.num_candidates, 1)
    return means


def _times_shown(rankings: "Rankings", target: "EvaluationSet", k: int) -> Int64Array:
    """[num_items] users who have the item in their top k."""
    top = rankings.top[:, :k]
    return np.bincount(top[top >= 0], minlength=target.num_items)


def _share_shown(target: "EvaluationSet", k: int) -> Float64Array:
    """[num_users] probability that a random top k has a given candidate."""
    candidates = target.num_candidates
    return np.minimum(k, candidates) / np.maximum(candidates, 1)


def _sum_over_users(target: "EvaluationSet", values: NDArray[Any]) -> Float64Array:
    """[num_ranked] sum of the values of the users who have the item as a candidate."""
    users, items = target.masked.rows(0, len(target))
    sums: Float64Array = values.sum() - np.bincount(items, values[users], target.num_items)
    return _ranked(target, sums)


def _ranked(target: "EvaluationSet", values: NDArray[Any]) -> NDArray[Any]:
    """[num_ranked] those of [num_items] values whose item is ranked at all."""
    return values if target.candidates is None else values[target.candidates]
