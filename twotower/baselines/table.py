"""Every reference with its small grid, and the setting of it that validation prefers.

| reference | grid | left out |
|---|---|---|
| popularity | none | never |
| recency_popularity | half_life (days): 1, 7, 30, 180 | where no row has a time |
| item_knn | (k, shrink): (100, 0), (100, 5), (500, 0), (500, 5); each with every decay | never |
| ease | l2: 30, 100, 300, 1000; each with every decay | beyond EASE's limit of items |

The decays, 0, 0.1 and 0.3, are those of `HistoryScorer`: the model may weigh what a user did last
(`model.history_decay`), so the references may, too. Where no row has a time there is only 0. The
grids were fixed before any was scored on a test split, span what the literature reports as best on
small and on large data, and are the same for every data set.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from twotower.baselines.ease import EASE, MAX_ITEMS
from twotower.baselines.histories import HistoryScorer
from twotower.baselines.item_knn import ItemKNN
from twotower.baselines.popularity import Popularity
from twotower.baselines.recency import RecencyPopularity, has_times
from twotower.data.interactions import Interactions
from twotower.evaluation.evaluate import evaluate
from twotower.evaluation.holdout import EvaluationSet
from twotower.evaluation.ranking import Scorer

Setting = Mapping[str, float]
DECAYS = (0.1, 0.3)
"""Of histories, beside none."""


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
        grid: settings to choose from; the middle one where there is nothing to choose by. To those
            of a `HistoryScorer` a `decay` may be added.
        fit: makes a scorer of rows and a setting of the grid.
        obstacle: why it cannot be fitted on these rows; empty if it can.
    """

    name: str
    grid: tuple[Setting, ...]
    fit: Callable[[TrainingRows, Setting], Scorer]
    obstacle: Callable[[TrainingRows], str] = lambda _: ""

    def candidates(self, rows: TrainingRows) -> Iterator[tuple[Setting, Scorer]]:
        """Every setting, with and without a decay of histories, and its scorer."""
        for setting in self.grid:
            scorer = self.fit(rows, setting)
            yield setting, scorer
            if isinstance(scorer, HistoryScorer) and has_times(rows.interactions):
                for decay in DECAYS:
                    yield {**setting, "decay": decay}, scorer.decayed(rows.interactions, decay)

    def scorer(self, rows: TrainingRows, setting: Setting) -> Scorer:
        """The scorer of one of the settings of `candidates`."""
        scorer = self.fit(rows, {key: setting[key] for key in setting if key != "decay"})
        if "decay" in setting and isinstance(scorer, HistoryScorer):
            return scorer.decayed(rows.interactions, setting["decay"])
        return scorer


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
        setting: one of its candidates.
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
    """The candidate that ranks the validation split best; of equal ones the first.

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
        (evaluate(scorer, validation, ks).summary()[objective], setting)
        for setting, scorer in reference.candidates(train)
    ]
    value, setting = max(values, key=lambda pair: pair[0])  # the first of equal ones
    return Choice(setting, value)
