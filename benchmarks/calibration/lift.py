"""Intervals around a planted lift, through the metrics of the pipeline.

Two fixed rankings of one catalogue, and users whose items are drawn so that the expectation of each
metric under each ranking is known in closed form.
"""

from collections.abc import Iterable

import numpy as np
import torch

from benchmarks.calibration.tables import Tables, least_covered, percent, table
from benchmarks.calibration.targets import METRIC, K, evaluation_target
from twotower.assessment.statistics.bounded_means import DIFFERENCE, confidence_bounds
from twotower.common.arrays import BoolArray, Int64Array
from twotower.common.progress import track
from twotower.evaluation import metrics
from twotower.evaluation.evaluate import evaluate
from twotower.evaluation.holdout import EvaluationSet

RESAMPLES = 2_000

NUM_ITEMS = 500
SEGMENTS = np.arange(NUM_ITEMS).reshape(10, 50)
"""Each user's items are drawn from one of these, uniformly, without replacement."""
SEGMENT_SHARES = np.array([4, 3, 2, 2, 1, 1, 1, 1, 0.5, 0.5]) / 16
NUM_RELEVANT = np.arange(1, 6)
"""Relevant items of a user, each number as likely."""


def rankings() -> tuple[Int64Array, Int64Array]:
    """Two orders of the catalogue; the second begins with more of the frequent segments."""
    tops = ((0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (0, 0, 0, 1, 1, 1, 2, 3, 4, 5))
    orders = []
    for number, segments in enumerate(tops):
        first = [SEGMENTS[s, 7 * number + i] for i, s in enumerate(segments)]
        rest = np.setdiff1d(np.arange(NUM_ITEMS), first)
        orders.append(np.concatenate([first, rest]))
    return orders[0], orders[1]


def expectation(order: Int64Array) -> dict[str, float]:
    """True mean of each metric under a ranking, over the users that could be drawn.

    Of m relevant items from a segment of 50, h of which are in the top 10: each of the top ranks in
    that segment holds a relevant item with probability m / 50, so recall is h / 50 whatever m is,
    and DCG the discounts of those ranks times m / 50; there is a hit unless all m are among the
    other 50 - h.
    """
    size = SEGMENTS.shape[1]
    segment = order[:K] // size
    totals = {METRIC: 0.0, f"ndcg_at_{K}": 0.0, f"hit_rate_at_{K}": 0.0}
    for number, share in enumerate(SEGMENT_SHARES):
        inside = segment == number
        gain = float(metrics.discounts(K)[inside].sum())
        for m in NUM_RELEVANT.tolist():
            weight = share / len(NUM_RELEVANT)
            left = size - int(inside.sum()) - np.arange(m)
            totals[METRIC] += weight * inside.sum() / size
            ideal = float(metrics.ideal_dcg(np.array([m]), K)[0])
            totals[f"ndcg_at_{K}"] += weight * gain * m / size / ideal
            totals[f"hit_rate_at_{K}"] += weight * (1 - np.prod(left / (size - np.arange(m))))
    return {name: float(value) for name, value in totals.items()}


def users_of_segments(num_users: int, rng: np.random.Generator) -> EvaluationSet:
    """Users with relevant items as `expectation` describes them."""
    segment = rng.choice(len(SEGMENTS), size=num_users, p=SEGMENT_SHARES)
    count = rng.choice(NUM_RELEVANT, size=num_users)
    order = np.argsort(rng.random((num_users, SEGMENTS.shape[1])), axis=1)
    taken = np.arange(SEGMENTS.shape[1]) < count[:, None]
    rows = np.broadcast_to(np.arange(num_users)[:, None], order.shape)
    relevant = np.zeros((num_users, NUM_ITEMS))
    relevant[rows[taken], SEGMENTS[segment][rows[taken], order[taken]]] = 1.0
    return evaluation_target(relevant, np.zeros_like(relevant))


class FixedRanking:
    """The same order of the catalogue for everyone."""

    def __init__(self, order: Int64Array) -> None:
        scores = np.empty(len(order), np.float32)
        scores[order] = -np.arange(len(order))
        self._scores = torch.from_numpy(scores)

    def scores(self, user_idx: Int64Array) -> torch.Tensor:
        """[batch, num_items] float32, every row the same."""
        return self._scores.repeat(len(user_idx), 1)


def coverage(
    seeds: Iterable[int], num_users: int = 1000, resamples: int = RESAMPLES
) -> dict[str, dict[str, float]]:
    """Share of intervals that hold the truth, of means and of differences, by metric."""
    orders = rankings()
    truths = [expectation(order) for order in orders]
    names = list(truths[0])
    mean = np.array([truths[1][name] for name in names])
    lift = mean - np.array([truths[0][name] for name in names])
    held: dict[str, list[BoolArray]] = {"mean": [], "difference": []}
    for seed in seeds:
        target = users_of_segments(num_users, np.random.default_rng(seed))
        a, b = (
            np.stack([evaluate(FixedRanking(o), target, (K,)).per_user[n] for n in names], axis=1)
            for o in orders
        )
        low, high = confidence_bounds(b, seed=seed, resamples=resamples)
        held["mean"].append((low <= mean) & (mean <= high))
        low, high = confidence_bounds(b - a, seed=seed, resamples=resamples, limits=DIFFERENCE)
        held["difference"].append((low <= lift) & (lift <= high))
    return {
        what: dict(zip(names, np.mean(found, axis=0).tolist(), strict=True))
        for what, found in held.items()
    }


def report(seeds: int) -> Tables:
    """How often the intervals hold the truth, of the second ranking's means and of its lift."""
    truths = [expectation(order) for order in rankings()]
    found = coverage(track(range(seeds), "samples of 1,000 users"))
    rows = [
        [name, f"{truths[0][name]:.4f}", f"{truths[1][name]:.4f}"]
        + [percent(found[what][name]) for what in ("mean", "difference")]
        for name in truths[0]
    ]
    least = least_covered(seeds)
    sound = all(share >= least for shares in found.values() for share in shares.values())
    head = ["metric", "first order", "second order", "second mean held", "difference held"]
    return Tables({"lift": table(head, rows, seeds)}, sound)
