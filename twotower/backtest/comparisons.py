"""What a backtest compares: an effort with doing without it, user by user, over all folds.

A user of several folds has a row in each, and these are no independent draws: rows of one user, or
of one cluster of users, count as one (`twotower.assessment.statistics.bounded_means`). What all
users of a period share, a season say, no interval over users covers; the folds show it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from twotower.assessment.intervals import LEVEL, RESAMPLES
from twotower.assessment.statistics.bounded_means import (
    DIFFERENCE,
    confidence_bounds,
    weighted_means,
)
from twotower.assessment.statistics.multiple import holm
from twotower.backtest.scores import (
    AGES,
    FIRST_SEARCH,
    NEVER,
    SCHEDULES,
    FoldScores,
    aged,
    schedule,
)
from twotower.common.arrays import Float64Array, Int64Array
from twotower.common.scorers import DEFAULT, MODEL
from twotower.common.seeds import derive_seed

OTHERS = (
    *map(aged, AGES),
    *map(schedule, SCHEDULES),
    NEVER,
    DEFAULT,
    FIRST_SEARCH,
)
"""What the model that is searched and trained anew in each fold is compared with."""


@dataclass(frozen=True)
class Gain:
    """What searching and training anew in each fold gains over something that takes less.

    Attributes:
        num_folds: folds in which both were scored.
        num_rows: test users of these folds, each as often as it is in one.
        num_users: different users among them.
        mean: of the objective, of the model that is searched and trained anew.
        without: of the other.
        difference: mean - without.
        is_same: whether every user has the same under both, as of a search that keeps the defaults.
        low: end of the confidence interval of the difference; `high` is the other.
        high: see `low`.
        p_value: of no difference, two-sided, adjusted for all comparisons of the backtest (Holm).
    """

    num_folds: int
    num_rows: int
    num_users: int
    mean: float
    without: float
    difference: float
    is_same: bool
    low: float
    high: float
    p_value: float


def gains(
    folds: Sequence[FoldScores], clusters: Mapping[Any, str] | None, seed: int
) -> dict[str, Gain]:
    """The comparison with each of OTHERS that was scored.

    Args:
        folds: with their scores.
        clusters: by user, what its cluster is called; None: each user is alone.
        seed: the seed of params.yaml.
    """
    names = [name for name in OTHERS if any(name in fold.values for fold in folds)]
    found = {name: _gain(folds, name, clusters, seed) for name in names}
    adjusted = holm({name: gain.p_value for name, gain in found.items()})
    return {name: Gain(**{**vars(gain), "p_value": adjusted[name]}) for name, gain in found.items()}


def _gain(
    folds: Sequence[FoldScores], name: str, clusters: Mapping[Any, str] | None, seed: int
) -> Gain:
    both = [fold for fold in folds if name in fold.values]
    model = np.concatenate([fold.values[MODEL] for fold in both])
    other = np.concatenate([fold.values[name] for fold in both])
    users = pd.concat([fold.users for fold in both], ignore_index=True)
    means = weighted_means(
        (model - other)[:, None],
        seed=derive_seed(seed, "backtest", name),
        resamples=RESAMPLES,
        limits=DIFFERENCE,
        clusters=_codes(users, clusters),
    )
    lows, highs = means.bounds(LEVEL)
    return Gain(
        num_folds=len(both),
        num_rows=len(users),
        num_users=users.nunique(),
        mean=float(model.mean()),
        without=float(other.mean()),
        difference=float((model - other).mean()),
        is_same=bool((model == other).all()),
        low=float(lows[0]),
        high=float(highs[0]),
        p_value=float(means.p_values("two-sided")[0]),
    )


def _codes(users: "pd.Series[Any]", clusters: Mapping[Any, str] | None) -> Int64Array:
    """[num_rows] the same code for rows of the same user, or of the same cluster of users."""
    named = clusters or {}
    keys = [(user in named, named.get(user, user)) for user in users]
    codes, _ = pd.factorize(pd.Series(keys, dtype=object))
    return codes.astype(np.int64)


def fold_rows(fold: FoldScores, seed: int) -> list[dict[str, Any]]:
    """For each scorer, its mean in the fold and what the model is above it, with intervals.

    Args:
        fold: with its scores.
        seed: the seed of params.yaml.
    """
    names = [MODEL, *sorted(fold.values.keys() - {MODEL})]
    values = np.stack([fold.values[name] for name in names], axis=1)
    differences = values[:, :1] - values
    lows, highs = _bounds(values, seed, fold, (0.0, 1.0))
    gain_lows, gain_highs = _bounds(differences, seed, fold, DIFFERENCE)
    return [
        {
            "fold": fold.number,
            "scorer": name,
            "num_users": len(values),
            "value": float(values[:, i].mean()),
            "low": float(lows[i]),
            "high": float(highs[i]),
        }
        | (
            {}
            if name == MODEL
            else {
                "gain": float(differences[:, i].mean()),
                "gain_low": float(gain_lows[i]),
                "gain_high": float(gain_highs[i]),
            }
        )
        for i, name in enumerate(names)
    ]


def _bounds(
    values: Float64Array, seed: int, fold: FoldScores, limits: tuple[float, float]
) -> tuple[Float64Array, Float64Array]:
    return confidence_bounds(
        values,
        seed=derive_seed(seed, "backtest", "fold", fold.number),
        level=LEVEL,
        resamples=RESAMPLES,
        limits=limits,
        clusters=fold.clusters,
    )
