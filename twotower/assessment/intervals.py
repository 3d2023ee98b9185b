"""How sure each mean is: over users, and from one training seed to the next."""

from statistics import fmean, stdev
from typing import Any

import numpy as np

from twotower.assessment.scoreboard import Scoreboard
from twotower.assessment.statistics.bootstrap import bootstrap_intervals
from twotower.common.seeds import derive_seed

LEVEL = 0.95
RESAMPLES = 10_000


def intervals(board: Scoreboard, seed: int) -> dict[str, Any]:
    """What metrics/intervals.json holds.

    Returns:
        `intervals`: by scorer and metric, both ends of the bootstrap interval of the mean over
        users; all share the resampled users. An expectation of a random ranking has none.
        `seeds`: by metric, the optimized model's mean for each training seed, the first its own,
        and their mean and standard deviation (None for a single seed).
        `seeds_diverged`: further seeds with which the training diverged.
    """
    columns = [
        (name, metric) for name, found in board.evaluations.items() for metric in found.per_user
    ]
    values = np.stack([board.evaluations[name].per_user[key] for name, key in columns], axis=1)
    lows, highs = bootstrap_intervals(
        values, seed=derive_seed(seed, "intervals"), level=LEVEL, resamples=RESAMPLES
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


def seed_spread(board: Scoreboard) -> dict[str, dict[str, Any]]:
    """Values, mean and standard deviation over the training seeds, by metric."""
    spread: dict[str, dict[str, Any]] = {}
    summaries = [found.summary() for found in board.seeds]
    for metric in summaries[0]:
        values = [means[metric] for means in summaries]
        std = stdev(values) if len(values) > 1 else None
        spread[metric] = {"mean": fmean(values), "std": std, "values": values}
    return spread
