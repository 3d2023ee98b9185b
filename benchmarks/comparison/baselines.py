"""The baselines of the pipeline: popularity, item-kNN, EASE and iALS."""

from typing import TypeVar

from benchmarks.comparison.problem import Method, OnPass, Problem, Setting
from twotower.baselines.baseline import BASELINES
from twotower.baselines.ease import EASE
from twotower.baselines.ease_plan import Size, ease_plan
from twotower.baselines.ials import ials
from twotower.baselines.item_knn import ItemKNN
from twotower.baselines.plan import TrainingData
from twotower.baselines.popularity import Popularity
from twotower.config.refit import BaselineBudget
from twotower.evaluation.ranking import VectorScorer

Linear = TypeVar("Linear", ItemKNN, EASE)
KNN_GRID: tuple[Setting, ...] = tuple(
    {"k": k, "shrink": shrink} for k in (20, 100, 500, 2000) for shrink in (0, 10)
)
EASE_GRID: tuple[Setting, ...] = tuple(
    {"l2": l2} for l2 in (10, 30, 100, 200, 400, 800, 1600, 3200)
)
DECAYS = (0.0, 0.2)
KNN_TIMED: tuple[Setting, ...] = tuple(
    {"k": k, "shrink": shrink, "decay": decay}
    for k in (100, 500)
    for shrink in (0, 10)
    for decay in DECAYS
)
EASE_TIMED: tuple[Setting, ...] = tuple(
    {"l2": l2, "decay": decay} for l2 in (100, 300, 1000, 3000) for decay in DECAYS
)


def _popularity(problem: Problem, _loaded: None, _setting: Setting, _on_pass: OnPass) -> Popularity:
    return Popularity(problem.interactions, problem.num_items)


def _item_knn(problem: Problem, _loaded: None, setting: Setting, _on_pass: OnPass) -> ItemKNN:
    return _fit(ItemKNN, problem, **setting)


def _ease(problem: Problem, _loaded: None, setting: Setting, _on_pass: OnPass) -> EASE:
    return _fit(EASE, problem, **setting)


def _fit(kind: type[Linear], problem: Problem, decay: float = 0.0, **setting: float) -> Linear:
    data = TrainingData(problem.interactions, problem.num_users, problem.num_items)
    fitted = kind(data.interactions, data.num_users, data.num_items, **setting)
    return fitted.scoring(data, decay) if decay else fitted


def _ials(problem: Problem, _loaded: None, setting: Setting, _on_pass: OnPass) -> VectorScorer:
    return ials(problem.interactions, problem.num_users, problem.num_items, **setting)


def _ease_obstacle(problem: Problem) -> str:
    """Whether one fit is within the budget of all that the pipeline does with EASE."""
    size = Size(problem.num_users, problem.num_items, len(problem.interactions))
    decays = int(problem.interactions.has_times)
    return ease_plan(size, size, 0, decays, BaselineBudget()).obstacle


METHODS = (
    Method("popularity", ({},), _popularity),
    Method("item_knn", KNN_GRID, _item_knn, timed_grid=KNN_TIMED),
    Method("ease", EASE_GRID, _ease, obstacle=_ease_obstacle, timed_grid=EASE_TIMED),
    Method("ials", BASELINES["ials"].grid, _ials),
)
