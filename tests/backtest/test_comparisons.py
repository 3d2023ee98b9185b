"""Gains by hand: who counts, in which folds, and how often."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from twotower.assessment.statistics.bounded_means import DIFFERENCE, confidence_bounds
from twotower.backtest.comparisons import fold_rows, gains
from twotower.backtest.fold_run import FoldRun
from twotower.backtest.periods import Fold
from twotower.backtest.scores import FoldScores
from twotower.common.seeds import derive_seed


def fold(number: int, users: list[int], clusters: Any = None, **values: list[float]) -> FoldScores:
    run = FoldRun(Fold(number, 0, 1, 2), Path(), {"reason": ""})
    scores = {name: np.array(column, dtype=np.float64) for name, column in values.items()}
    return FoldScores(run, pd.Series(users), scores, clusters)


FOLDS = [
    fold(1, [7, 8], optimized=[1, 0], default=[0, 0]),
    fold(2, [8, 9, 10], optimized=[1, 1, 0.5], default=[0.5, 1, 0.5], age_1=[0, 1, 0.5]),
]


def test_means_are_over_users_of_all_folds_that_have_both() -> None:
    found = gains(FOLDS, None, seed=1)
    assert list(found) == ["age_1", "default"]
    default, age = found["default"], found["age_1"]
    # (1 + 0 + 1 + 1 + 0.5) / 5 and (0 + 0 + 0.5 + 1 + 0.5) / 5; user 8 is in both folds.
    assert (default.mean, default.without) == pytest.approx((0.7, 0.4))
    assert (default.difference, default.num_rows, default.num_users) == pytest.approx((0.3, 5, 4))
    assert (age.difference, age.num_folds, age.num_rows) == pytest.approx((1 / 3, 1, 3))
    assert not default.is_same


def test_rows_of_one_user_count_as_one_draw() -> None:
    differences = np.array([[1.0], [0.0], [0.5], [0.0], [0.0]])
    seed = derive_seed(1, "backtest", "default")
    low, high = confidence_bounds(
        differences, seed=seed, limits=DIFFERENCE, clusters=np.array([0, 1, 1, 2, 3])
    )
    found = gains(FOLDS, None, seed=1)["default"]
    assert (found.low, found.high) == (low[0], high[0])


def test_users_of_a_cluster_count_as_one_draw_over_folds() -> None:
    apart = gains(FOLDS, {}, seed=1)["default"]
    assert apart == gains(FOLDS, None, seed=1)["default"]
    together = gains(FOLDS, {7: "h", 8: "h", 9: "8"}, seed=1)["default"]  # and 10 is alone
    assert together.difference == apart.difference
    assert together.high - together.low > apart.high - apart.low


def test_p_values_are_adjusted_for_all_comparisons() -> None:
    users = list(range(60))
    ones, zeros = [1.0] * 60, [0.0] * 60
    alone = gains([fold(1, users, optimized=ones, default=zeros)], None, seed=1)["default"]
    three = gains(
        [fold(1, users, optimized=ones, default=zeros, age_1=zeros, age_2=zeros)], None, seed=1
    )
    # The p-value of each is the smallest that 10,000 draws give, two-sided.
    assert alone.p_value == pytest.approx(2 / 10_001)
    assert [one.p_value for one in three.values()] == pytest.approx([6 / 10_001] * 3)
    assert alone.difference == 1


def test_the_same_scores_are_no_difference() -> None:
    found = gains([fold(1, [7, 8], optimized=[1, 0], default=[1, 0])], None, seed=1)["default"]
    assert (found.is_same, found.difference, found.p_value) == (True, 0, 1)


def test_rows_of_a_fold() -> None:
    rows = fold_rows(FOLDS[1], seed=1)
    assert [row["scorer"] for row in rows] == ["optimized", "age_1", "default"]
    assert rows[0]["value"] == pytest.approx(2.5 / 3)
    assert "gain" not in rows[0]
    assert (rows[1]["fold"], rows[1]["num_users"]) == (2, 3)
    assert (rows[1]["value"], rows[1]["gain"]) == pytest.approx((0.5, 1 / 3))
    assert rows[1]["gain_low"] <= rows[1]["gain"] <= rows[1]["gain_high"]
    assert all(0 <= row["low"] <= row["value"] <= row["high"] <= 1 for row in rows)


def test_rows_of_a_fold_take_clusters_for_one_draw() -> None:
    values = {"optimized": [1.0, 1, 0, 0], "default": [0.0, 0, 0, 0]}
    apart = fold_rows(fold(1, [1, 2, 3, 4], **values), seed=1)
    together = fold_rows(fold(1, [1, 2, 3, 4], np.array([0, 0, 1, 1]), **values), seed=1)
    assert together[0]["low"] < apart[0]["low"]
    assert together[1]["gain_low"] < apart[1]["gain_low"]
