import numpy as np

from twotower.baselines.recency import RecencyPopularity
from twotower.common.units import DAY
from twotower.data.interactions import Interactions


def rows(items: list[int], days: list[float]) -> Interactions:
    return Interactions(
        user_idx=np.zeros(len(items), np.int64),
        item_idx=np.array(items),
        weight=np.ones(len(items), np.float32),
        timestamp=np.array([1_700_000_000 + int(day * DAY) for day in days]),
    )


def order(interactions: Interactions, half_life: float, num_items: int = 3) -> list[int]:
    scores = RecencyPopularity(interactions, num_items, half_life=half_life).scores(np.array([0]))
    return np.argsort(-scores.numpy()[0], kind="stable").tolist()


def test_a_row_is_worth_half_after_each_half_life() -> None:
    # Item 0: 1. Item 1: 3 rows of a quarter each. Item 2: 5 rows of a quarter each.
    interactions = rows([0, *[1] * 3, *[2] * 5], [10.0, *[8.0] * 8])
    assert order(interactions, half_life=1.0) == [2, 0, 1]


def test_the_half_life_decides_between_many_old_rows_and_one_new() -> None:
    interactions = rows([0, 0, 0, 1], [0, 0, 0, 30])
    assert order(interactions, half_life=1000.0) == [0, 1, 2]
    assert order(interactions, half_life=1.0) == [1, 0, 2]


def test_rows_that_are_ages_old_still_have_an_order() -> None:
    interactions = rows([2, 1, 1, 0], [0, 0, 0, 300])
    scores = RecencyPopularity(interactions, 3, half_life=1.0).scores(np.array([0])).numpy()[0]
    assert scores[0] > scores[1] > scores[2]
    assert np.isfinite(scores).all()


def test_scores_are_one_row_for_each_user_and_may_be_overwritten() -> None:
    scorer = RecencyPopularity(rows([0, 1, 1], [0, 1, 2]), 4, half_life=5.0)
    scores = scorer.scores(np.array([3, 4]))
    assert scores.shape == (2, 4)
    want = scores[1].clone()
    scores[0] = -1.0
    assert scorer.scores(np.array([9]))[0].equal(want)
