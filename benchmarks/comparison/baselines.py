"""The baselines of the pipeline: popularity, item-kNN and EASE, all in closed form."""

from typing import TypeVar

from benchmarks.comparison.problem import Method, OnPass, Problem, Setting
from twotower.baselines.ease import EASE, MAX_ITEMS
from twotower.baselines.item_knn import ItemKNN
from twotower.baselines.popularity import Popularity

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
    fitted = kind(problem.interactions, problem.num_users, problem.num_items, **setting)
    return fitted.decayed(problem.interactions, decay)


def _ease_obstacle(problem: Problem) -> str:
    if problem.num_items <= MAX_ITEMS:
        return ""
    return f"{problem.num_items:,} items; its matrix is solved up to {MAX_ITEMS:,}"


METHODS = (
    Method("popularity", ({},), _popularity),
    Method("item_knn", KNN_GRID, _item_knn, timed_grid=KNN_TIMED),
    Method("ease", EASE_GRID, _ease, obstacle=_ease_obstacle, timed_grid=EASE_TIMED),
)
