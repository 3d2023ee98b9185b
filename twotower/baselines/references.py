"""Every reference with its small grid, and the setting of it that validation prefers.

| reference | grid | left out |
|---|---|---|
| popularity | none | never |
| recency_popularity | half_life (days): 1, 7, 30, 180 | where no row has a time |
| item_knn | (k, shrink): (100, 0), (100, 5), (500, 0), (500, 5) | never |
| ease | l2: 30, 100, 300, 1000 | beyond EASE's limit of items |

The grids were fixed before any was scored on a test split, span what the literature reports as
best on small and on large data, and are the same for every data set.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from twotower.baselines.ease import EASE, MAX_ITEMS
from twotower.baselines.item_knn import ItemKNN
from twotower.baselines.popularity import Popularity
from twotower.baselines.recency import RecencyPopularity, has_times
from twotower.data.interactions import Interactions
from twotower.evaluation.evaluate import evaluate
from twotower.evaluation.holdout import EvaluationSet
from twotower.evaluation.ranking import Scorer

Setting = Mapping[str, float]


@dataclass(frozen=True)
class TrainingRows:
    """What a reference is fitted on, all of it within the catalogue."""

    interactions: Interactions
    num_users: int
    num_items: int


@dataclass(frozen=True)
class Reference:
    """A scorer that needs no search.

    Attributes:
        name: its section in metrics/test.json.
        grid: settings to choose from; the middle one where there is nothing to choose by.
        fit: makes a scorer of rows and a setting.
        obstacle: why it cannot be fitted on these rows; empty if it can.
    """

    name: str
    grid: tuple[Setting, ...]
    fit: Callable[[TrainingRows, Setting], Scorer]
    obstacle: Callable[[TrainingRows], str] = lambda _: ""


def _item_knn(rows: TrainingRows, setting: Setting) -> Scorer:
    k, shrink = int(setting["k"]), setting["shrink"]
    return ItemKNN(rows.interactions, rows.num_users, rows.num_items, k=k, shrink=shrink)


def _ease_obstacle(rows: TrainingRows) -> str:
    if rows.num_items <= MAX_ITEMS:
        return ""
    return f"the catalogue has {rows.num_items:,} items, and EASE takes at most {MAX_ITEMS:,}"


REFERENCES = (
    Reference("popularity", ({},), lambda rows, _: Popularity(rows.interactions, rows.num_items)),
    Reference(
        "recency_popularity",
        tuple({"half_life": days} for days in (1, 7, 30, 180)),
        lambda rows, setting: RecencyPopularity(rows.interactions, rows.num_items, **setting),
        lambda rows: "" if has_times(rows.interactions) else "the data has no times",
    ),
    Reference(
        "item_knn",
        tuple({"k": k, "shrink": shrink} for k in (100, 500) for shrink in (0, 5)),
        _item_knn,
    ),
    Reference(
        "ease",
        tuple({"l2": l2} for l2 in (30, 100, 300, 1000)),
        lambda rows, setting: EASE(rows.interactions, rows.num_users, rows.num_items, **setting),
        _ease_obstacle,
    ),
)


@dataclass(frozen=True)
class Choice:
    """The setting of a reference that is used.

    Attributes:
        setting: one of its grid.
        validation: the objective on the validation split; None where nothing was chosen.
    """

    setting: Setting
    validation: float | None = None


def choose(
    reference: Reference,
    train: TrainingRows,
    validation: EvaluationSet,
    objective: str,
    ks: tuple[int, ...],
) -> Choice:
    """The setting of the grid that ranks the validation split best; of equal ones the first.

    Args:
        reference: without an obstacle.
        train: rows that it is fitted on.
        validation: may be empty.
        objective: metric to maximise.
        ks: cut-offs of the metrics.
    """
    if not len(validation) or len(reference.grid) == 1:
        return Choice(reference.grid[len(reference.grid) // 2])
    values = [
        evaluate(reference.fit(train, setting), validation, ks).summary()[objective]
        for setting in reference.grid
    ]
    best = max(range(len(values)), key=lambda place: (values[place], -place))
    return Choice(reference.grid[best], values[best])
