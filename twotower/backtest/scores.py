"""Everyone who was scored in a backtest, by fold: models, baselines, older models, schedules."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pandas as pd

from twotower.backtest.fold_run import FoldRun
from twotower.backtest.others import Others
from twotower.common.arrays import Float64Array, Int64Array
from twotower.common.progress import track
from twotower.common.scorers import MODEL
from twotower.config import Config
from twotower.evaluation.item_groups import assessed_as

AGES = (1, 2, 4, 8)
"""Periods before a fold in which the older models were trained that it is compared with."""
SCHEDULES = (2, 4, 8)
"""Periods after which a model is retrained; with as many as there are folds it never is."""
NEVER = "never_retrained"
FIRST_SEARCH = "first_search"
"""A model that is retrained in each fold, with the hyperparameters of the first fold's search."""


@dataclass(frozen=True)
class FoldScores:
    """The objective of the test users of one fold.

    Attributes:
        run: the fold.
        users: [num_users] ids.
        values: by scorer, [num_users].
        clusters: [num_users] the cluster of each user within the fold; None: each is alone.
    """

    run: FoldRun
    users: "pd.Series[int] | pd.Series[str]"
    values: dict[str, Float64Array] = field(default_factory=dict)
    clusters: Int64Array | None = None

    @property
    def number(self) -> int:
        """Of the fold."""
        return self.run.fold.number


def aged(age: int) -> str:
    """The model that was trained so many periods before."""
    return f"age_{age}"


def schedule(periods: int) -> str:
    """The model that is served if one is trained every so many periods, the first in fold 1."""
    return f"every_{periods}"


def collect_scores(runs: Sequence[FoldRun], config: Config) -> list[FoldScores]:
    """Score older models and older hyperparameters in every fold that has a model.

    Args:
        runs: all folds, the earliest first; at least one has a model.
        config: see `fold_config`.
    """
    metric, _ = assessed_as(config.hpo.objective)
    ran = {run.fold.number: run for run in runs if not run.reason}
    found = []
    for run in track(list(ran.values()), "older models: fold"):
        per_user = run.per_user
        scores = {name: by_metric[metric] for name, by_metric in per_user.metrics.items()}
        others = Others(run, config)
        first = ran[min(ran)]
        if run is not first:
            repeated = others.with_params_of(first)
            scores |= {} if repeated is None else {FIRST_SEARCH: repeated}
        for name, older in _older(run, ran, len(runs)):
            scores[name] = scores[MODEL] if older is run else others.of_older(older)
        found.append(FoldScores(run, per_user.users, scores, per_user.clusters))
    return found


def _older(run: FoldRun, ran: dict[int, FoldRun], num_folds: int) -> Iterator[tuple[str, FoldRun]]:
    """Names of the scorers that are models of earlier folds, and the fold of each."""
    if len(ran) < 2:
        return
    number = run.fold.number
    for age in AGES:
        if number - age in ran:
            yield aged(age), ran[number - age]
    schedules = [(schedule(n), n) for n in SCHEDULES if n < num_folds] + [(NEVER, num_folds)]
    for name, periods in schedules:
        due = number - (number - 1) % periods
        served = max((n for n in ran if n <= due), default=min(ran))
        yield name, ran[served]
