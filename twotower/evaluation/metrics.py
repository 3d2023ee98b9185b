"""Ranking metrics of each user, and what a random ranking would score."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from twotower.common.arrays import BoolArray, Float64Array, Int64Array


def recall_at_k(hits: BoolArray, num_relevant: Int64Array) -> Float64Array:
    """Share of each user's relevant items among the top k.

    Args:
        hits: [num_users, k] whether the item at each rank is relevant.
        num_relevant: [num_users] relevant items, those outside the catalogue included; > 0.
    """
    share: Float64Array = np.divide(_row_sums(hits), num_relevant)
    return share


def hit_rate_at_k(hits: BoolArray) -> Float64Array:
    """1 for each user with a relevant item among the top k, otherwise 0."""
    return np.asarray(hits.any(axis=1), dtype=np.float64)


def discounts(k: int) -> Float64Array:
    """[k] weight of each rank: 1 / log2(1 + rank)."""
    ranks: Float64Array = np.arange(1.0, k + 1.0)
    weights: Float64Array = np.reciprocal(np.log2(1.0 + ranks))
    return weights


def ideal_dcg(num_relevant: Int64Array, k: int) -> Float64Array:
    """[num_users] DCG@k of a ranking that starts with all relevant items."""
    totals = np.concatenate([[0.0], np.cumsum(discounts(k))])
    return totals[np.minimum(num_relevant, k)]


def ndcg_at_k(hits: BoolArray, num_relevant: Int64Array, k: int) -> Float64Array:
    """Binary NDCG of each user.

    Args:
        hits: [num_users, min(k, num_items)].
        num_relevant: [num_users], > 0.
        k: cut-off of the ideal ranking.

    Source: Järvelin and Kekäläinen, TOIS 2002.
    """
    return _row_sums(hits * discounts(hits.shape[1])) / ideal_dcg(num_relevant, k)


def reciprocal_rank(first_relevant: Int64Array) -> Float64Array:
    """1 / rank of each user's best relevant item; 0 where the rank is 0 (none in the catalogue)."""
    ranks = np.maximum(first_relevant, 1)
    return np.where(first_relevant > 0, 1.0 / ranks, 0.0)


def random_expectation(
    num_candidates: Int64Array,
    num_rankable: Int64Array,
    num_relevant: Int64Array,
    ks: tuple[int, ...],
) -> dict[str, Float64Array]:
    """Expected metrics of each user under a uniformly random ranking, in closed form.

    Args:
        num_candidates: [num_users] catalogue items that are not masked.
        num_rankable: [num_users] relevant items among them.
        num_relevant: [num_users] relevant items, those outside the catalogue included; > 0.
        ks: cut-offs.

    Source: the hypergeometric distribution; for the reciprocal rank, the sum over i of
    C(n - i, r - 1) / i is C(n, r - 1) (H(n) - H(r - 1)), with H the harmonic numbers.
    """
    share = num_rankable / np.maximum(num_candidates, 1)
    expected: dict[str, Float64Array] = {}
    for k in ks:
        shown = np.minimum(k, num_candidates)
        gains = np.concatenate([[0.0], np.cumsum(discounts(k))])
        misses = np.ones(len(num_candidates))
        for drawn in range(k):
            left = np.maximum(num_candidates - drawn, 1)
            misses *= np.clip((left - num_rankable) / left, 0.0, 1.0)
        expected[f"recall_at_{k}"] = share * shown / num_relevant
        expected[f"ndcg_at_{k}"] = share * gains[shown] / ideal_dcg(num_relevant, k)
        expected[f"hit_rate_at_{k}"] = 1.0 - misses
    harmonic = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, num_candidates.max() + 1))])
    span = harmonic[num_candidates] - harmonic[np.maximum(num_rankable - 1, 0)]
    expected["mrr"] = num_rankable / (num_candidates - num_rankable + 1) * span
    return expected


def random_coverage(
    num_candidates: Int64Array,
    masked_users: Int64Array,
    masked_items: Int64Array,
    num_items: int,
    k: int,
) -> float:
    """Expected share of the catalogue that uniformly random rankings show to somebody.

    Args:
        num_candidates: [num_users] catalogue items that are not masked.
        masked_users: [num_masked] the user of each masked pair.
        masked_items: [num_masked] the item of each masked pair.
        num_items: size of the catalogue.
        k: cut-off.

    Source: user u, who has n_u candidates, is shown each of them with probability
    min(k, n_u) / n_u; an item is missed by all with the product of the complements.
    """
    share = np.minimum(k, num_candidates) / np.maximum(num_candidates, 1)
    certain = share == 1.0  # whose complement has no logarithm
    missed = np.where(certain, 0.0, np.log1p(-np.where(certain, 0.0, share)))
    log_missed = missed.sum() - np.bincount(masked_items, missed[masked_users], num_items)
    sure = certain.sum() - np.bincount(masked_items, certain[masked_users], num_items)
    return float(np.where(sure > 0.5, 1.0, -np.expm1(log_missed)).mean())


def _row_sums(values: NDArray[Any]) -> Float64Array:
    sums: Float64Array = np.add.reduce(values, axis=1, dtype=np.float64)
    return sums
