"""The table of baselines, each with a small grid, and the setting that validation prefers.

The grids were fixed before any was scored on a test split, span what the literature reports as best
on small and on large data, and are the same for every data set.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from twotower.baselines.ease import EASE, MAX_ITEMS
from twotower.baselines.histories import HistoryScorer
from twotower.baselines.item_knn import ItemKNN
from twotower.baselines.popularity import Popularity
from twotower.baselines.recency import RecencyPopularity
from twotower.common.arrays import Int64Array
from twotower.common.table import Table
from twotower.data.interactions import Interactions
from twotower.evaluation.evaluate import evaluate
from twotower.evaluation.holdout import EvaluationSet
from twotower.evaluation.ranking import Scorer

Setting = Mapping[str, float]
DECAYS = (0.1, 0.3)
"""Decays of histories that are tried besides none, as `model.history_decay` may be searched."""


@dataclass(frozen=True)
class TrainingData:
    """What a scorer is trained on.

    Attributes:
        interactions: all within the catalogue.
        num_users: size of the catalogue.
        num_items: likewise.
    """

    interactions: Interactions
    num_users: int
    num_items: int

    def user_counts(self) -> Int64Array:
        """[num_users] training rows of each user."""
        return np.bincount(self.interactions.user_idx, minlength=self.num_users)

    def item_counts(self) -> Int64Array:
        """[num_items] training rows of each item."""
        return np.bincount(self.interactions.item_idx, minlength=self.num_items)


@dataclass(frozen=True)
class Baseline:
    """A scorer that needs no search.

    Attributes:
        name: its section in metrics/test.json.
        grid: settings to choose from; the middle one without a validation split. Each setting of a
            `HistoryScorer` is also tried with every `decay` of DECAYS where rows have times.
        fit: makes a scorer from training data and a setting of the grid.
        obstacle: why it cannot be fitted to this data; empty if it can.
    """

    name: str
    grid: tuple[Setting, ...]
    fit: Callable[[TrainingData, Setting], Scorer]
    obstacle: Callable[[TrainingData], str] = lambda _: ""

    def candidates(self, data: TrainingData) -> Iterator[tuple[Setting, Scorer]]:
        """Every setting, with and without a decay of histories, and its scorer."""
        for setting in self.grid:
            scorer = self.fit(data, setting)
            yield setting, scorer
            if isinstance(scorer, HistoryScorer) and data.interactions.has_times:
                for decay in DECAYS:
                    yield {**setting, "decay": decay}, scorer.decayed(data.interactions, decay)

    def scorer(self, data: TrainingData, setting: Setting) -> Scorer:
        """The scorer of one of the settings of `candidates`."""
        scorer = self.fit(data, {key: setting[key] for key in setting if key != "decay"})
        if "decay" in setting and isinstance(scorer, HistoryScorer):
            return scorer.decayed(data.interactions, setting["decay"])
        return scorer


def _item_knn(data: TrainingData, setting: Setting) -> Scorer:
    k, shrink = int(setting["k"]), setting["shrink"]
    return ItemKNN(data.interactions, data.num_users, data.num_items, k=k, shrink=shrink)


def _ease_obstacle(data: TrainingData) -> str:
    if data.num_items <= MAX_ITEMS:
        return ""
    return f"the catalogue has {data.num_items:,} items, and EASE takes at most {MAX_ITEMS:,}"


BASELINES = Table(
    "baseline",
    Baseline("popularity", ({},), lambda data, _: Popularity(data.interactions, data.num_items)),
    Baseline(
        "recency_popularity",
        tuple({"half_life": days} for days in (1, 7, 30, 180)),
        lambda data, setting: RecencyPopularity(data.interactions, data.num_items, **setting),
        lambda data: "" if data.interactions.has_times else "the data has no times",
    ),
    Baseline(
        "item_knn",
        tuple({"k": k, "shrink": shrink} for k in (100, 500) for shrink in (0, 5)),
        _item_knn,
    ),
    Baseline(
        "ease",
        tuple({"l2": l2} for l2 in (30, 100, 300, 1000)),
        lambda data, setting: EASE(data.interactions, data.num_users, data.num_items, **setting),
        _ease_obstacle,
    ),
)


def choose_setting(
    baseline: Baseline,
    train: TrainingData,
    validation: EvaluationSet,
    objective: str,
    ks: tuple[int, ...],
) -> Setting:
    """The candidate that ranks the validation split best; of equal ones the first.

    Args:
        baseline: without an obstacle.
        train: what each candidate is fitted to.
        validation: may be empty; then the middle of the grid is chosen.
        objective: metric to maximise.
        ks: cut-offs of the metrics.
    """
    if not len(validation) or len(baseline.grid) == 1:
        return baseline.grid[len(baseline.grid) // 2]
    values = [
        (evaluate(scorer, validation, ks).summary()[objective], setting)
        for setting, scorer in baseline.candidates(train)
    ]
    return max(values, key=lambda pair: pair[0])[1]
