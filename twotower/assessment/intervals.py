"""metrics/intervals.json: the uncertainty of each mean over users, and over training seeds."""

from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

import numpy as np

from twotower.assessment.statistics.bounded_means import METRIC, confidence_bounds
from twotower.common.arrays import Float64Array
from twotower.common.seeds import derive_seed
from twotower.evaluation.metrics import is_compared

if TYPE_CHECKING:
    from twotower.assessment.scoreboard import Scoreboard

LEVEL = 0.95
RESAMPLES = 10_000


def intervals(board: "Scoreboard", seed: int) -> dict[str, Any]:
    """The content of the file.

    Returns:
        `intervals`: by scorer and metric, both ends of the confidence interval of the mean over
        users. The random expectation has none.
        `seeds`: by metric, the optimized model's mean for each training seed, its own first,
        and their mean and standard deviation (None for a single seed).
        `seeds_diverged`: further training seeds with which the training diverged.
    """
    columns = [
        (name, metric)
        for name, evaluation in board.evaluations.items()
        for metric in evaluation.per_user
    ]
    values = np.stack([board.evaluations[name].per_user[key] for name, key in columns], axis=1)
    limits = [_limits(metric, values[:, i]) for i, (_, metric) in enumerate(columns)]
    lows, highs = confidence_bounds(
        values,
        seed=derive_seed(seed, "intervals"),
        level=LEVEL,
        resamples=RESAMPLES,
        limits=tuple(np.transpose(limits)),
        clusters=board.clusters,
    )
    ends: dict[str, dict[str, list[float]]] = {}
    for (name, metric), low, high in zip(columns, lows, highs, strict=True):
        ends.setdefault(name, {})[metric] = [float(low), float(high)]
    return {
        "intervals": ends,
        "level": LEVEL,
        "num_users": len(values),
        "resamples": RESAMPLES,
        "scored": True,
        "seeds": seed_spread(board),
        "seeds_diverged": board.num_diverged,
    }


def _limits(metric: str, values: Float64Array) -> tuple[float, float]:
    """Lowest and highest possible value; the observed ones where a metric is not of quality.

    Novelty, in bits, has no limits that the metric itself would set.
    """
    return METRIC if is_compared(metric) else (float(values.min()), float(values.max()))


def seed_spread(board: "Scoreboard") -> dict[str, dict[str, Any]]:
    """Values, mean and standard deviation over the training seeds, by metric."""
    spread: dict[str, dict[str, Any]] = {}
    summaries = [evaluation.summary() for evaluation in board.seeds]
    for metric in summaries[0]:
        values = [means[metric] for means in summaries]
        std = stdev(values) if len(values) > 1 else None
        spread[metric] = {"mean": fmean(values), "std": std, "values": values}
    return spread
