import numpy as np
import pytest
import torch

from tests.conftest import catalogue_of, events, split_by_time, split_by_user
from twotower.baselines.baseline import (
    BASELINES,
    Baseline,
    Setting,
    choose_setting,
    wanted_baselines,
)
from twotower.baselines.plan import TrainingData
from twotower.config.refit import EXTRA_BASELINES, BaselineBudget
from twotower.data.features import Categorical
from twotower.data.interactions import Interactions
from twotower.evaluation.evaluate import evaluate
from twotower.evaluation.held_out import HeldOut
from twotower.evaluation.holdout import EvaluationSet, evaluation_set
from twotower.evaluation.ranking import Scorer

KS = (5, 10)
EVERY_RUN = wanted_baselines(())


def candidates(baseline: Baseline, rows: TrainingData) -> list[tuple[Setting, Scorer]]:
    return [pair for setting in baseline.grid for pair in baseline.variants(rows, setting)]


def small() -> tuple[TrainingData, EvaluationSet]:
    splits = split_by_time(events(seed=5))
    catalogue = catalogue_of(splits["train"])
    target = evaluation_set(catalogue, splits["train"], splits["validation"], exclude_seen=True)
    rows = catalogue.encode(splits["train"])
    return TrainingData(rows, len(catalogue.users), len(catalogue.items)), target


def without_times(rows: TrainingData) -> TrainingData:
    known = rows.interactions
    flat = Interactions(known.user_idx, known.item_idx, known.weight, np.zeros_like(known.user_idx))
    return TrainingData(flat, rows.num_users, rows.num_items)


class Fixed:
    """Scores every item by its distance from one."""

    def __init__(self, favourite: float, num_items: int) -> None:
        self._scores = -(torch.arange(num_items, dtype=torch.float32) - favourite).abs()

    def scores(self, user_idx: np.ndarray) -> torch.Tensor:
        return self._scores.repeat(len(user_idx), 1)


@pytest.mark.parametrize("baseline", EVERY_RUN, ids=lambda baseline: baseline.name)
def test_the_best_setting_on_validation_is_chosen(baseline: Baseline) -> None:
    rows, target = small()
    assert baseline.plan(rows, rows, BaselineBudget()).obstacle == ""
    chosen = choose_setting(baseline, rows, target, "ndcg_at_10", KS)
    values = {
        tuple(setting.items()): evaluate(scorer, target, KS).summary()["ndcg_at_10"]
        for setting, scorer in candidates(baseline, rows)
    }
    best = max(values.values())
    assert values[tuple(chosen.items())] == best
    again = baseline.scorer(rows, chosen)
    assert evaluate(again, target, KS).summary()["ndcg_at_10"] == best


def test_histories_may_decay_where_there_are_times() -> None:
    rows, _ = small()
    for baseline in EVERY_RUN:
        decays = [setting.get("decay") for setting, _ in candidates(baseline, rows)]
        if baseline.name in ("item_knn", "ease"):
            assert decays == [None, 0.1, 0.3] * 4
            timeless = [s for s, _ in candidates(baseline, without_times(rows))]
            assert timeless == list(baseline.grid)
        else:
            assert set(decays) == {None}


def test_of_equal_settings_the_first_is_chosen() -> None:
    rows, target = small()
    grid = tuple({"favourite": favourite} for favourite in (3.0, 3.0, 3.0))
    same = Baseline("same", "", grid, lambda rows, _: Fixed(3.0, rows.num_items))
    assert choose_setting(same, rows, target, "mrr", KS) is grid[0]


def test_nothing_to_choose_by_gives_the_middle_of_the_grid() -> None:
    rows, _ = small()
    splits = split_by_time(events(seed=5))
    nothing = evaluation_set(
        catalogue_of(splits["train"]), splits["train"], splits["validation"][:0], exclude_seen=True
    )
    grid = tuple({"favourite": favourite} for favourite in (1.0, 2.0, 3.0))
    baseline = Baseline("any", "", grid, lambda rows, _: Fixed(1.0, rows.num_items))
    assert choose_setting(baseline, rows, nothing, "mrr", KS) == {"favourite": 2.0}


def test_what_cannot_be_fitted_says_why() -> None:
    rows, _ = small()
    flat, budget = without_times(rows), BaselineBudget(minutes=1e-9)
    why = {row.name: row.plan(flat, flat, budget).obstacle for row in EVERY_RUN}
    too_much = why.pop("ease")
    assert too_much.startswith("24 x 24 Gram matrix, about 0.3 GB and 0 s, beyond the 8 GB and ")
    assert why == {"popularity": "", "recency_popularity": "the data has no times", "item_knn": ""}


def test_extra_baselines_are_fitted_where_they_are_named() -> None:
    assert [row.name for row in BASELINES.values() if row.extra] == list(EXTRA_BASELINES)
    assert not {row.name for row in EVERY_RUN} & set(EXTRA_BASELINES)
    cold_features = [Categorical(np.ones(1, np.int64), ("a",))]
    assert {row.name for row in wanted_baselines(["ials"], cold_features)} == BASELINES.keys()


def test_structure_is_found() -> None:
    """Users choose from their group: what looks at histories beats what does not."""
    rows, target = small()
    values = {}
    for baseline in EVERY_RUN:
        chosen = choose_setting(baseline, rows, target, "recall_at_10", KS)
        scorer = baseline.scorer(rows, chosen)
        values[baseline.name] = evaluate(scorer, target, KS).summary()["recall_at_10"]
    popular = max(values["popularity"], values["recency_popularity"])
    assert min(values["item_knn"], values["ease"]) > popular


def test_every_baseline_scores_new_users_by_what_is_known_of_them() -> None:
    parts = split_by_user(events(seed=5))
    catalogue = catalogue_of(parts["train"])
    rows = catalogue.encode(parts["train"])
    train = TrainingData(rows, len(catalogue.users), len(catalogue.items))
    held_out = HeldOut.of(
        catalogue,
        parts["train"],
        parts["validation_history"],
        parts["validation"],
        exclude_seen=False,
    )
    assert held_out.folded_in is not None
    new = TrainingData(held_out.folded_in, len(held_out.catalogue.users), train.num_items)
    means = {}
    for baseline in BASELINES.values():
        chosen = choose_setting(baseline, train, held_out.target, "recall_at_5", KS, new=new)
        scorer = baseline.scorer(train, chosen, new)
        means[baseline.name] = evaluate(scorer, held_out.target, KS).summary()["recall_at_5"]
        for setting, variant in baseline.variants(train, dict(baseline.grid[0]), new):
            again = baseline.scorer(train, setting, new)
            assert again.scores(np.arange(2)).equal(variant.scores(np.arange(2)))
    for name in ("item_knn", "ease", "ials"):  # the users' groups are in what is folded in
        assert means[name] > 1.5 * means["popularity"]


def test_settings_that_do_not_fit_in_memory_at_once_choose_the_same(monkeypatch) -> None:
    rows, target = small()
    knn = BASELINES["item_knn"]
    at_once = choose_setting(knn, rows, target, "ndcg_at_10", KS)
    monkeypatch.setattr("twotower.baselines.baseline.MOST_NEIGHBOURS", 1)
    assert knn.fit_all is not None
    assert set(knn.fit_all(rows, knn.grid)) == {None}
    assert choose_setting(knn, rows, target, "ndcg_at_10", KS) == at_once
