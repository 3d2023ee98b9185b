"""The table of baselines, each with a small grid, and the setting that validation prefers.

The grids were fixed before any was scored on a test split, span what the literature reports as best
on small and on large data, and are the same for every data set.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from twotower.baselines.content import GROUPED, CategoryPopularity, ContentKNN
from twotower.baselines.ease import EASE
from twotower.baselines.ease_plan import Size, ease_plan
from twotower.baselines.histories import HistoryScorer
from twotower.baselines.ials import IALS, ials
from twotower.baselines.item_knn import ItemKNN, Neighbourhood
from twotower.baselines.plan import Plan, TrainingData
from twotower.baselines.popularity import Popularity
from twotower.baselines.recency import RecencyPopularity
from twotower.common.choices import Table
from twotower.common.progress import track
from twotower.config.refit import BaselineBudget
from twotower.data.feature import Feature
from twotower.evaluation.evaluate import evaluate
from twotower.evaluation.holdout import EvaluationSet
from twotower.evaluation.ranking import Scorer

Setting = Mapping[str, float]
DECAYS = (0.1, 0.3)
"""Decays of histories that are tried besides none, as `model.history_decay` may be searched."""
MOST_NEIGHBOURS = 2**27
"""Of all settings of item-kNN that are compared at once, for 8 bytes each: 1 GB."""


@dataclass(frozen=True)
class Baseline:
    """A scorer that needs no search.

    Attributes:
        name: its section in metrics/test.json.
        summary: one line for the docs.
        grid: settings to choose from; the middle one without a validation split. Each setting of a
            `HistoryScorer` is also tried with every `decay` of DECAYS where rows have times.
        fit: makes a scorer from training data and a setting of the grid.
        plan: (rows that settings are compared on, rows of the final fit, budget) -> whether and how
            it can be fitted.
        strong: whether a model that is not compared with it cannot be said to beat every baseline.
        extra: whether it is fitted only where `refit.extra_baselines` names it.
        kinds: of side features of items, one of which it needs. It is fitted only where cold items
            are to be found, and they choose its setting. Empty: of a baseline that needs none.
        fit_all: makes the scorers of several settings at once, where that takes less than `fit` for
            one after the other; else None. In place of a scorer it has None where memory does not
            allow so many at once.
    """

    name: str
    summary: str
    grid: tuple[Setting, ...]
    fit: Callable[[TrainingData, Setting], Scorer]
    plan: Callable[[TrainingData, TrainingData, BaselineBudget], Plan] = lambda *_: Plan()
    strong: bool = False
    extra: bool = False
    kinds: tuple[type[Feature], ...] = ()
    fit_all: Callable[[TrainingData, Sequence[Setting]], Sequence[Scorer | None]] | None = None

    def variants(
        self,
        data: TrainingData,
        setting: Setting,
        new: TrainingData | None = None,
        fitted: Scorer | None = None,
    ) -> Iterator[tuple[Setting, Scorer]]:
        """A setting of the grid, with and without a decay of histories, and its scorer.

        Args:
            data: what it is fitted to.
            setting: of the grid.
            new: other users, who are scored by rows of their own; None: those of `data`.
            fitted: the scorer that `fit` makes of both, if there is one already.
        """
        fitted = self.fit(data, setting) if fitted is None else fitted
        yield setting, _scoring(fitted, new)
        if isinstance(fitted, HistoryScorer) and data.interactions.has_times:
            for decay in DECAYS:
                yield {**setting, "decay": decay}, fitted.scoring(new or data, decay)

    def scorer(
        self, data: TrainingData, setting: Setting, new: TrainingData | None = None
    ) -> Scorer:
        """The scorer of one of the settings of `variants`."""
        fitted = self.fit(data, {key: setting[key] for key in setting if key != "decay"})
        if "decay" in setting and isinstance(fitted, HistoryScorer):
            return fitted.scoring(new or data, setting["decay"])
        return _scoring(fitted, new)


def _scoring(fitted: Scorer, new: TrainingData | None) -> Scorer:
    """A scorer of new users; one that has no vectors or histories ranks alike for everyone."""
    if new is None or not isinstance(fitted, HistoryScorer | IALS):
        return fitted
    return fitted.scoring(new)


def _item_knn(data: TrainingData, setting: Setting) -> Scorer:
    k, shrink = int(setting["k"]), setting["shrink"]
    return ItemKNN(data.interactions, data.num_users, data.num_items, k=k, shrink=shrink)


def _item_knns(data: TrainingData, settings: Sequence[Setting]) -> Sequence[Scorer | None]:
    neighbours = sum(min(int(setting["k"]), data.num_items) for setting in settings)
    if data.num_items * neighbours > MOST_NEIGHBOURS:
        return [None] * len(settings)
    kinds = [Neighbourhood(setting["shrink"], int(setting["k"])) for setting in settings]
    return ItemKNN.each(data.interactions, data.num_users, data.num_items, kinds)


def _ials(data: TrainingData, setting: Setting) -> Scorer:
    dim, alpha, penalty = int(setting["dim"]), setting["alpha"], setting["penalty"]
    known = data.interactions
    return ials(known, data.num_users, data.num_items, dim=dim, alpha=alpha, penalty=penalty)


def _times_plan(train: TrainingData, final: TrainingData, _: BaselineBudget) -> Plan:
    timed = train.interactions.has_times and final.interactions.has_times
    return Plan() if timed else Plan(obstacle="the data has no times")


def _ease_plan(train: TrainingData, final: TrainingData, budget: BaselineBudget) -> Plan:
    tuning, last = (Size(d.num_users, d.num_items, len(d.interactions)) for d in (train, final))
    decays = len(DECAYS) if train.interactions.has_times else 0
    return ease_plan(tuning, last, len(EASE_GRID), decays, budget)


EASE_GRID: tuple[Setting, ...] = tuple({"l2": l2} for l2 in (30, 100, 300, 1000))
BASELINES = Table(
    "baseline",
    Baseline(
        "popularity",
        "number of training rows of each item",
        ({},),
        lambda data, _: Popularity(data.interactions, data.num_items),
    ),
    Baseline(
        "recency_popularity",
        "the same with exponential decay, in days; skipped without timestamps",
        tuple({"half_life": days} for days in (1, 7, 30, 180)),
        lambda data, setting: RecencyPopularity(data.interactions, data.num_items, **setting),
        _times_plan,
    ),
    Baseline(
        "item_knn",
        "sum of cosines to the items of the history, users weighted by 1/√(their items), with "
        "shrinkage",
        tuple({"k": k, "shrink": shrink} for k in (100, 500) for shrink in (0, 5)),
        _item_knn,
        strong=True,
        fit_all=_item_knns,
    ),
    Baseline(
        "ease",
        "EASE: a ridge regression of each item on the others of the history, in closed form",
        EASE_GRID,
        lambda data, setting: EASE(data.interactions, data.num_users, data.num_items, **setting),
        _ease_plan,
        strong=True,
    ),
    Baseline(
        "ials",
        "iALS: matrix factorisation by alternating least squares, regularised by frequency",
        tuple(
            {"dim": dim, "alpha": alpha, "penalty": penalty}
            for dim in (64, 128)
            for alpha in (0.03, 0.3)
            for penalty in (0.003, 0.01)
        ),
        _ials,
        strong=True,
        extra=True,
    ),
    Baseline(
        "content_knn",
        "sum of cosines of side features to the items of the history",
        ({},),
        lambda data, _: ContentKNN(data),
        kinds=(Feature,),
    ),
    Baseline(
        "category_popularity",
        "mean training rows of the items of a category, and the user's share of it, averaged over "
        "an item's categories",
        tuple({"personal": personal} for personal in (0, 1, 10)),
        lambda data, setting: CategoryPopularity(data, personal=setting["personal"]),
        kinds=GROUPED,
    ),
)


def wanted_baselines(
    extra: Collection[str], cold_features: Collection[Feature] = ()
) -> list[Baseline]:
    """The baselines of every run, and those that `refit.extra_baselines` names.

    Args:
        extra: their names.
        cold_features: side features of the items, if cold ones are to be found; else none.
    """
    return [
        row
        for row in BASELINES.values()
        if (not row.extra or row.name in extra)
        and (not row.kinds or any(isinstance(one, row.kinds) for one in cold_features))
    ]


def choose_setting(
    baseline: Baseline,
    train: TrainingData,
    validation: EvaluationSet,
    objective: str,
    ks: tuple[int, ...],
    *,
    new: TrainingData | None = None,
) -> Setting:
    """The setting that ranks the validation split best; of equal ones the first.

    Args:
        baseline: without an obstacle.
        train: what each setting is fitted to.
        validation: may be empty; then the middle of the grid is chosen.
        objective: metric to maximise.
        ks: cut-offs of the metrics.
        new: users of `validation` who are not in `train`; None: they are.
    """
    if not len(validation) or len(baseline.grid) == 1:
        return baseline.grid[len(baseline.grid) // 2]

    # A function of its own, so that the scorers of one setting are gone before the next is fitted:
    # two matrices of EASE would not fit its budget.
    def values(setting: Setting, fitted: Scorer | None) -> list[tuple[float, Setting]]:
        return [
            (evaluate(scorer, validation, ks).summary()[objective], variant)
            for variant, scorer in baseline.variants(train, setting, new, fitted)
        ]

    grid = baseline.grid
    fitted = baseline.fit_all(train, grid) if baseline.fit_all else [None] * len(grid)
    settings = track(zip(grid, fitted, strict=True), "setting", len(grid))
    found = [pair for setting in settings for pair in values(*setting)]
    return max(found, key=lambda pair: pair[0])[1]
