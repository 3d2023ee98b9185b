"""The table of ranking metrics: what each measures, and what a random ranking would score.

`config` derives the objectives of a search from it, so nothing here imports torch or pandas.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from twotower.common.arrays import BoolArray, Float64Array, Int64Array
from twotower.common.choices import Table
from twotower.evaluation.exposure import (
    coverage,
    expected_coverage,
    expected_gini,
    expected_novelty,
    gini,
    novelty,
)
from twotower.evaluation.item_groups import split_key, weights_of

if TYPE_CHECKING:
    from twotower.evaluation.holdout import EvaluationSet


Direction = Literal["maximize", "minimize"]


@dataclass(frozen=True)
class Rankings:
    """The catalogue as ranked for each user of an evaluation set.

    Attributes:
        top: [num_users, length] int64 item indices, best first; -1 past the end of the candidates.
        hits: [num_users, length] bool, whether the item is relevant.
        first_relevant: [num_users] int64 rank, from 1, of the best relevant item in the whole
            ranking; 0 without one.
    """

    top: Int64Array
    hits: BoolArray
    first_relevant: Int64Array

    @cached_property
    def num_hits(self) -> Int64Array:
        """[num_users, length] relevant items up to each rank."""
        return np.cumsum(self.hits, axis=1)


@dataclass(frozen=True)
class MetricValues:
    """Every metric of one scorer, or of a random ranking.

    Attributes:
        per_user: by key, e.g. recall_at_10, [num_users].
        overall: by key, e.g. coverage_at_10, the metrics of all rankings together.
    """

    per_user: dict[str, Float64Array]
    overall: dict[str, float]

    def summary(self) -> dict[str, float]:
        """The mean of each metric over the users, and the overall metrics."""
        means = {key: float(values.mean()) for key, values in self.per_user.items()}
        return means | self.overall


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        name: key without the cut-off.
        label: for people.
        measure: of rankings of at least k items for the users of an evaluation set. [num_users],
            in [0, 1] if it is one of quality; [] if the metric is not of each user.
        expected: the same, expected of a uniformly random ranking of the items that no mask hides.
        has_cutoff: whether it is measured at each of `evaluate.ks`, or once.
        is_per_user: whether each user has a value.
        is_quality: whether more is better. Without it, or not of each user, a metric cannot be an
            objective of its own, and no test asks in which model it is higher.
        direction: in which a search takes it that has several objectives.
    """

    name: str
    label: str
    measure: Callable[[Rankings, "EvaluationSet", int], Float64Array]
    expected: Callable[["EvaluationSet", int], Float64Array]
    has_cutoff: bool = True
    is_per_user: bool = True
    is_quality: bool = True
    direction: Direction = "maximize"

    @property
    def can_be_objective(self) -> bool:
        """Whether a search can maximise it, and models are compared by it."""
        return self.is_per_user and self.is_quality


def recall(rankings: Rankings, target: "EvaluationSet", k: int) -> Float64Array:
    """Share of each user's relevant items, those outside the catalogue included, in the top k."""
    return _found(rankings, k) / target.num_relevant


def expected_recall(target: "EvaluationSet", k: int) -> Float64Array:
    """By the hypergeometric distribution."""
    shown = np.minimum(k, target.num_candidates)
    return _random_precision(target) * shown / target.num_relevant


def precision(rankings: Rankings, _target: "EvaluationSet", k: int) -> Float64Array:
    """Share of each user's top k that is relevant; of k, even where there are fewer candidates."""
    return _found(rankings, k) / k


def expected_precision(target: "EvaluationSet", k: int) -> Float64Array:
    """By the hypergeometric distribution."""
    return _random_precision(target) * np.minimum(k, target.num_candidates) / k


def ndcg(rankings: Rankings, target: "EvaluationSet", k: int) -> Float64Array:
    """Binary NDCG of each user; the ideal ranking starts with all of its relevant items.

    Source: Järvelin and Kekäläinen, TOIS 2002.
    """
    hits = rankings.hits[:, :k]
    return _row_sums(hits * discounts(hits.shape[1])) / ideal_dcg(target.num_relevant, k)


def expected_ndcg(target: "EvaluationSet", k: int) -> Float64Array:
    """By the hypergeometric distribution."""
    gains: Float64Array = np.concatenate([[0.0], np.cumsum(discounts(k))])
    shown = np.minimum(k, target.num_candidates)
    return _random_precision(target) * gains[shown] / ideal_dcg(target.num_relevant, k)


def average_precision(rankings: Rankings, target: "EvaluationSet", k: int) -> Float64Array:
    """Sum of the precision at each rank up to k with a relevant item, over min(k, relevant items).

    Source: Manning, Raghavan and Schütze, Introduction to Information Retrieval, 2008, section 8.4.
    """
    hits = rankings.hits[:, :k]
    precisions = rankings.num_hits[:, :k] / np.arange(1, hits.shape[1] + 1)
    return _row_sums(hits * precisions) / np.minimum(target.num_relevant, k)


def expected_average_precision(target: "EvaluationSet", k: int) -> Float64Array:
    """In closed form.

    Rank i is relevant with probability r / n, and each rank before it then with (r - 1) / (n - 1),
    so that the precision there is (1 + (i - 1) (r - 1) / (n - 1)) / i.
    """
    shown = np.minimum(k, target.num_candidates)
    harmonic: Float64Array = np.concatenate([[0.0], np.cumsum(1.0 / np.arange(1, k + 1))])
    before = (target.relevant.counts - 1) / np.maximum(target.num_candidates - 1, 1)
    gains = harmonic[shown] + before * (shown - harmonic[shown])
    return _random_precision(target) * gains / np.minimum(target.num_relevant, k)


def hit_rate(rankings: Rankings, _target: "EvaluationSet", k: int) -> Float64Array:
    """1 for each user with a relevant item in the top k, otherwise 0."""
    return np.asarray(_found(rankings, k) > 0, dtype=np.float64)


def expected_hit_rate(target: "EvaluationSet", k: int) -> Float64Array:
    """By the hypergeometric distribution: 1 - P(no relevant item among k draws)."""
    candidates, relevant = target.num_candidates, target.relevant.counts
    misses = np.ones(len(target))
    for drawn in range(k):
        left = np.maximum(candidates - drawn, 1)
        misses *= np.clip((left - relevant) / left, 0.0, 1.0)
    return 1.0 - misses


def reciprocal_rank(rankings: Rankings, _target: "EvaluationSet", _k: int) -> Float64Array:
    """1 / rank of each user's best relevant item; 0 if the catalogue has none."""
    ranks = np.maximum(rankings.first_relevant, 1)
    return np.where(rankings.first_relevant > 0, 1.0 / ranks, 0.0)


def expected_reciprocal_rank(target: "EvaluationSet", _k: int) -> Float64Array:
    """In closed form.

    The sum over i of C(n - i, r - 1) / i is C(n, r - 1) (H(n) - H(r - 1)), with n candidates, r of
    them relevant, and H the harmonic numbers.
    """
    candidates, relevant = target.num_candidates, target.relevant.counts
    harmonic: Float64Array = np.concatenate(
        [[0.0], np.cumsum(1.0 / np.arange(1, candidates.max() + 1))]
    )
    span = harmonic[candidates] - harmonic[np.maximum(relevant - 1, 0)]
    return relevant / (candidates - relevant + 1) * span


METRICS = Table(
    "hpo.objective",
    Metric("recall", "Recall", recall, expected_recall),
    Metric("precision", "Precision", precision, expected_precision),
    Metric("ndcg", "NDCG", ndcg, expected_ndcg),
    Metric("map", "MAP", average_precision, expected_average_precision),
    Metric("hit_rate", "Hit rate", hit_rate, expected_hit_rate),
    Metric("mrr", "MRR", reciprocal_rank, expected_reciprocal_rank, has_cutoff=False),
    Metric("novelty", "Novelty", novelty, expected_novelty, is_quality=False),
    Metric("coverage", "Coverage", coverage, expected_coverage, is_per_user=False),
    Metric(
        "gini",
        "Gini index",
        gini,
        expected_gini,
        is_per_user=False,
        is_quality=False,
        direction="minimize",
    ),
)


def objectives(ks: tuple[int, ...]) -> list[str]:
    """Keys of the metrics that a search can maximise."""
    return [key for key, metric, _ in _keys(ks) if metric.can_be_objective]


def metric_keys(ks: tuple[int, ...]) -> list[str]:
    """Keys of all metrics."""
    return [key for key, _, _ in _keys(ks)]


def direction_of(key: str) -> Direction:
    """In which direction a metric gets better, as most take it; of an unknown one, up."""
    name, _, _ = split_key(key)[0].partition("_at_")
    return METRICS[name].direction if name in METRICS else "maximize"


def is_compared(key: str) -> bool:
    """Whether models are compared by a metric of each user; one of a later version is."""
    name, _, _ = key.partition("_at_")
    return name not in METRICS or METRICS[name].can_be_objective


def metric_label(key: str) -> str:
    """Name of a metric, or of a mix, for people: recall_at_10_cold becomes Recall@10 (cold)."""
    weights = weights_of(key) if " " in key else {}
    if len(weights) > 1:
        return " + ".join(f"{weight:g} {metric_label(one)}" for one, weight in weights.items())
    metric, group = split_key(key)
    name, _, k = metric.partition("_at_")
    if name not in METRICS:  # of a file that a later version wrote
        return key
    of_group = f" ({group.name})" if group.suffix else ""
    return METRICS[name].label + (f"@{k}" if k else "") + of_group


def metric_cutoff(key: str, ks: tuple[int, ...]) -> int:
    """The k of a metric; the largest of `ks` if it has none."""
    _, _, k = key.partition("_at_")
    return int(k) if k else ks[-1]


def measure(rankings: Rankings, target: "EvaluationSet", ks: tuple[int, ...]) -> MetricValues:
    """Every metric of rankings.

    Args:
        rankings: of the largest k items, or of the whole catalogue if that is smaller.
        target: at least one user; what the rankings are of.
        ks: cut-offs, ascending.
    """
    return _values(lambda metric, k: metric.measure(rankings, target, k), ks)


def random_expectation(target: "EvaluationSet", ks: tuple[int, ...]) -> MetricValues:
    """Every metric as expected of a uniformly random ranking under the same masks.

    Args:
        target: without users there are no values.
        ks: cut-offs, ascending.
    """
    if not len(target):
        return MetricValues({}, {})
    return _values(lambda metric, k: metric.expected(target, k), ks)


def discounts(k: int) -> Float64Array:
    """[k] weight of each rank: 1 / log2(1 + rank)."""
    return np.reciprocal(np.log2(1.0 + np.arange(1.0, k + 1.0)))


def ideal_dcg(num_relevant: Int64Array, k: int) -> Float64Array:
    """[num_users] DCG@k of a ranking that starts with all relevant items."""
    totals = np.concatenate([[0.0], np.cumsum(discounts(k))])
    return totals[np.minimum(num_relevant, k)]


def _keys(ks: tuple[int, ...]) -> Iterator[tuple[str, Metric, int]]:
    """Key, metric and cut-off of every value."""
    for k in ks:
        yield from ((f"{m.name}_at_{k}", m, k) for m in METRICS.values() if m.has_cutoff)
    yield from ((m.name, m, ks[-1]) for m in METRICS.values() if not m.has_cutoff)


def _values(compute: Callable[[Metric, int], Float64Array], ks: tuple[int, ...]) -> MetricValues:
    per_user: dict[str, Float64Array] = {}
    overall: dict[str, float] = {}
    for key, metric, k in _keys(ks):
        if metric.is_per_user:
            per_user[key] = compute(metric, k)
        else:
            overall[key] = float(compute(metric, k))
    return MetricValues(per_user, overall)


def _random_precision(target: "EvaluationSet") -> Float64Array:
    """[num_users] probability that an item of a random ranking is relevant."""
    return target.relevant.counts / np.maximum(target.num_candidates, 1)


def _found(rankings: Rankings, k: int) -> Int64Array:
    """[num_users] relevant items in each top k."""
    return rankings.num_hits[:, min(k, rankings.num_hits.shape[1]) - 1]


def _row_sums(values: NDArray[Any]) -> Float64Array:
    sums: Float64Array = np.add.reduce(values, axis=1, dtype=np.float64)
    return sums
