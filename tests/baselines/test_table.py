import numpy as np
import pytest
import torch

from tests.conftest import catalogue_of, events, split_by_time
from twotower.baselines import table
from twotower.baselines.table import REFERENCES, Reference, TrainingRows, choose
from twotower.data.interactions import Interactions
from twotower.evaluation.evaluate import evaluate
from twotower.evaluation.holdout import EvaluationSet, evaluation_set

KS = (5, 10)


def small() -> tuple[TrainingRows, EvaluationSet]:
    splits = split_by_time(events(seed=5))
    catalogue = catalogue_of(splits["train"])
    target = evaluation_set(catalogue, splits["train"], splits["validation"], exclude_seen=True)
    rows = catalogue.encode(splits["train"])
    return TrainingRows(rows, len(catalogue.users), len(catalogue.items)), target


def without_times(rows: TrainingRows) -> TrainingRows:
    known = rows.interactions
    flat = Interactions(known.user_idx, known.item_idx, known.weight, np.zeros_like(known.user_idx))
    return TrainingRows(flat, rows.num_users, rows.num_items)


class Fixed:
    """Scores every item by its distance from one."""

    def __init__(self, favourite: float, num_items: int) -> None:
        self._scores = -(torch.arange(num_items, dtype=torch.float32) - favourite).abs()

    def scores(self, user_idx: np.ndarray) -> torch.Tensor:
        return self._scores.repeat(len(user_idx), 1)


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda reference: reference.name)
def test_the_best_setting_on_validation_is_chosen(reference: Reference) -> None:
    rows, target = small()
    assert reference.obstacle(rows) == ""
    choice = choose(reference, rows, target, "ndcg_at_10", KS)
    values = {
        tuple(setting.items()): evaluate(scorer, target, KS).summary()["ndcg_at_10"]
        for setting, scorer in reference.candidates(rows)
    }
    best = max(values.values())
    assert values[tuple(choice.setting.items())] == best
    assert choice.validation == (best if len(values) > 1 else None)
    again = reference.scorer(rows, choice.setting)
    assert evaluate(again, target, KS).summary()["ndcg_at_10"] == best


def test_histories_may_decay_where_there_are_times() -> None:
    rows, _ = small()
    for reference in REFERENCES:
        decays = [setting.get("decay") for setting, _ in reference.candidates(rows)]
        if reference.name in ("item_knn", "ease"):
            assert decays == [None, 0.1, 0.3] * 4
            timeless = [s for s, _ in reference.candidates(without_times(rows))]
            assert timeless == list(reference.grid)
        else:
            assert set(decays) == {None}


def test_of_equal_settings_the_first_is_chosen() -> None:
    rows, target = small()
    grid = tuple({"favourite": favourite} for favourite in (3.0, 3.0, 3.0))
    same = Reference("same", grid, lambda rows, _: Fixed(3.0, rows.num_items))
    assert choose(same, rows, target, "mrr", KS).setting is grid[0]


def test_nothing_to_choose_by_gives_the_middle_of_the_grid() -> None:
    rows, _ = small()
    splits = split_by_time(events(seed=5))
    nothing = evaluation_set(
        catalogue_of(splits["train"]), splits["train"], splits["validation"][:0], exclude_seen=True
    )
    grid = tuple({"favourite": favourite} for favourite in (1.0, 2.0, 3.0))
    reference = Reference("any", grid, lambda rows, _: Fixed(1.0, rows.num_items))
    choice = choose(reference, rows, nothing, "mrr", KS)
    assert (choice.setting, choice.validation) == ({"favourite": 2.0}, None)


def test_what_cannot_be_fitted_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, _ = small()
    monkeypatch.setattr(table, "MAX_ITEMS", 20)
    why = {reference.name: reference.obstacle(without_times(rows)) for reference in REFERENCES}
    assert why == {
        "popularity": "",
        "recency_popularity": "the data has no times",
        "item_knn": "",
        "ease": "the catalogue has 24 items, and EASE takes at most 20",
    }


def test_structure_is_found() -> None:
    """Users choose from their group: what looks at histories beats what does not."""
    rows, target = small()
    values = {}
    for reference in REFERENCES:
        chosen = choose(reference, rows, target, "recall_at_10", KS)
        scorer = reference.scorer(rows, chosen.setting)
        values[reference.name] = evaluate(scorer, target, KS).summary()["recall_at_10"]
    popular = max(values["popularity"], values["recency_popularity"])
    assert min(values["item_knn"], values["ease"]) > popular
