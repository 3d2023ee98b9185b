from typing import Any

import pytest

from tests.assessment.boards import board, interactions, lists, target
from twotower.assessment.gap import gap
from twotower.assessment.scoreboard import Scoreboard

TRAIN = interactions([(0, 0), (1, 0)], [0, 2])
VALIDATION = interactions([(0, 1), (1, 1)], [3, 5])
TEST = interactions([(0, 2), (1, 3)], [9, 10])
KNOWN = interactions([(0, 0), (1, 0), (0, 1), (1, 1)], [0, 2, 3, 9.75])
SEARCH = {
    "best_trial": {"number": 7, "value": 0.5},
    "num_users": 2,
    "random": {"recall_at_1": 0.25},
}


@pytest.fixture
def scored() -> Scoreboard:
    wanted = target(lists([2], [3]), lists([0, 1], [0, 1]), 4)
    splits = {"train": TRAIN, "validation": VALIDATION, "test": TEST}
    return board(wanted, KNOWN, "recall_at_1", splits, optimized=[[0, 0, 1, 0], [0, 0, 1, 0]])


def test_from_validation_to_test(scored: Scoreboard) -> None:
    found = gap(scored, SEARCH)
    assert found["validation"] == {
        "num_users": 2, "random": 0.25, "training_rows": 2, "value": 0.5,
    }  # fmt: skip
    assert found["test"] == {"num_users": 2, "random": 0.5, "training_rows": 4, "value": 0.5}
    assert found["later_by_days"] == pytest.approx(5.5)
    assert found["confirmed"] is None


def test_rows_are_those_of_the_last_rung_of_a_sample(scored: Scoreboard) -> None:
    def rung(rows: int, *failures: str | None) -> dict[str, Any]:
        return {"num_train_rows": rows, "trials": [{"failure": each} for each in failures]}

    for rungs, rows in (([], 5), ([rung(7, None, "a")], 7), ([rung(7, None), rung(9, "a")], 7)):
        found = gap(scored, {**SEARCH, "sample": {"num_train_rows": 5, "rungs": rungs}})
        assert found["validation"]["training_rows"] == rows


def test_the_confirmed_trial_is_the_one_that_was_refitted(scored: Scoreboard) -> None:
    trials: list[dict[str, Any]] = [
        {"number": 7, "value": 0.5, "mean": 0.3, "std": 0.1, "values": [0.2, 0.4]},
        {"number": 4, "value": 0.45, "mean": 0.4, "std": 0.0, "values": [0.4, 0.4]},
    ]
    found = gap(scored, {**SEARCH, "confirm": {"chosen": 4, "trials": trials}})
    assert found["validation"]["value"] == 0.45
    assert found["confirmed"] == {"mean": 0.4, "std": 0.0, "values": [0.4, 0.4]}


def test_without_a_search_or_times(scored: Scoreboard) -> None:
    untimed = {"validation": interactions([(0, 1)]), "test": interactions([(0, 2)])}
    scores = {"optimized": [[0.0, 0, 1, 0], [0, 0, 1, 0]]}
    timeless = board(scored.target, interactions([(0, 0)]), "recall_at_1", untimed, **scores)
    found = gap(timeless, {"best_params": {}})
    assert found["validation"] is None
    assert found["later_by_days"] is None
