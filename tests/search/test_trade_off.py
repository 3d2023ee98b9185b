"""What is said of a choice from a front."""

from typing import Any

import pytest

from twotower.evaluation.metrics import Direction
from twotower.search.console import SearchConsole
from twotower.search.front import Goals
from twotower.search.trade_off import WOULD, choice_text, exchange, trade_off


def results(*rows: tuple[int, list[float]], chosen: int, **objectives: str) -> dict[str, Any]:
    return {
        "objectives": [{"metric": m, "direction": d} for m, d in objectives.items()],
        "front": [{"number": n, "values": values, "allowed": True} for n, values in rows],
        "best_trial": {"number": chosen},
        "choice": {"keep": None, "limits": {}, "weights": {}},
    }


TWO: dict[str, Direction] = {"recall_at_10": "maximize", "coverage_at_10": "maximize"}
THREE: dict[str, Direction] = {
    "recall_at_10": "maximize",
    "coverage_at_10": "maximize",
    "gini_at_10": "minimize",
}


def test_what_is_given_up_and_for_what() -> None:
    # 0.2 - 0.194 is 3 % of 0.2, and 0.6 is half as much again as 0.4.
    found = results((9, [0.2, 0.4]), (14, [0.194, 0.6]), chosen=14, **TWO)

    assert trade_off(found) == (
        "Trial 14 gives up 3.0 % of Recall@10 (0.2 to 0.194) for 50 % more Coverage@10 (0.4 to 0.6)"
    )


def test_of_a_minimised_objective_less_is_a_gain_and_more_is_a_loss() -> None:
    found = results((1, [0.2, 0.4, 0.5]), (2, [0.1, 0.4, 0.4]), chosen=2, **THREE)
    assert trade_off(found) == (
        "Trial 2 gives up 50 % of Recall@10 (0.2 to 0.1) for 20 % less Gini index@10 (0.5 to 0.4)"
    )
    found = results((1, [0.2, 0.4, 0.4]), (2, [0.1, 0.8, 0.5]), chosen=2, **THREE)
    assert trade_off(found) == (
        "Trial 2 gives up 50 % of Recall@10 (0.2 to 0.1) and accepts 25 % more Gini index@10 "
        "(0.4 to 0.5) for 100 % more Coverage@10 (0.4 to 0.8)"
    )


def test_what_is_given_up_is_listed() -> None:
    before, after = [0.2, 0.4, 0.4], [0.1, 0.3, 0.2]
    assert exchange(2, THREE, before, after, WOULD) == (
        "Trial 2 would give up 50 % of Recall@10 (0.2 to 0.1) and 25 % of Coverage@10 (0.4 to 0.3) "
        "for 50 % less Gini index@10 (0.4 to 0.2)"
    )


def test_the_best_of_the_first_objective_gives_up_nothing_and_says_what_was_on_offer() -> None:
    found = results((9, [0.2, 0.4]), (4, [0.199, 0.5]), (14, [0.1, 0.6]), chosen=9, **TWO)

    assert trade_off(found) == (
        "Trial 9 has the best Recall@10; trial 14 would give up 50 % of Recall@10 (0.2 to 0.1) for "
        "50 % more Coverage@10 (0.4 to 0.6)"
    )


def test_where_all_have_the_same_of_the_second_objective_the_third_is_on_offer() -> None:
    found = results((1, [0.2, 0.5, 0.4]), (2, [0.1, 0.5, 0.3]), chosen=1, **THREE)
    assert trade_off(found) == (
        "Trial 1 has the best Recall@10; trial 2 would give up 50 % of Recall@10 (0.2 to 0.1) for "
        "25 % less Gini index@10 (0.4 to 0.3)"
    )


def test_a_front_of_one_trial_trades_nothing() -> None:
    found = results((3, [0.2, 0.4]), chosen=3, **TWO)
    twice = results((3, [0.2, 0.4]), (5, [0.2, 0.4]), chosen=3, **TWO)

    for each in (found, twice):
        assert trade_off(each) == "Trial 3 has the best of each: Recall@10 0.2 and Coverage@10 0.4"


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (0.0, 0.6, "for more Coverage@10 (0 to 0.6)"),
        (0.5, 0.5001, "for under 0.1 % more Coverage@10 (0.5 to 0.5001)"),
        (0.01, 0.61, "for 6,000 % more Coverage@10 (0.01 to 0.61)"),
    ],
)
def test_shares_of_nothing_next_to_nothing_and_much(before: float, after: float, text: str) -> None:
    found = trade_off(results((1, [0.2, before]), (2, [0.1, after]), chosen=2, **TWO))

    assert str(found).endswith(text)


def test_nothing_is_said_without_objectives_or_without_a_trial() -> None:
    one = results(chosen=0) | {"best_trial": {"number": 0}}
    none = results(chosen=0, **TWO) | {"best_trial": None}

    assert trade_off(one) is None
    assert choice_text(one) is None
    assert trade_off(none) is None


@pytest.mark.parametrize(
    ("choice", "text"),
    [
        (
            {"keep": None, "limits": {}, "weights": {}},
            "Among the trials of the front, the chosen one has the highest sum of Recall@10, "
            "Coverage@10 and Gini index@10, each scaled",
        ),
        (
            {"keep": 0.95, "limits": {"gini_at_10": 0.6}, "weights": {"coverage_at_10": 2}},
            "Among the trials of the front that have at least 95 % of its best Recall@10 and a "
            "Gini index@10 of at most 0.6, the chosen one has the best Coverage@10; of equal ones",
        ),
        (
            {
                "keep": None,
                "limits": {"coverage_at_10": 0.3},
                "weights": {"recall_at_10": 1, "coverage_at_10": 2},
            },
            "Among the trials of the front that have a Coverage@10 of at least 0.3, the chosen one "
            "has the highest sum of Recall@10 and 2 times Coverage@10, each scaled",
        ),
    ],
)
def test_the_rule_in_words(choice: dict[str, Any], text: str) -> None:
    assert str(choice_text(results(chosen=0, **THREE) | {"choice": choice})).startswith(text)


def test_the_summary_of_a_search_ends_its_front_with_the_sentence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = results((9, [0.2, 0.4]), (14, [0.1, 0.6]), chosen=14, **TWO)
    found |= {"n_trials": 15, "states": {"complete": 15, "pruned": 0, "fail": 0}, "complete": True,
              "exhausted": False,
              "num_users": 7, "random": {"recall_at_10": 0.01}}  # fmt: skip
    found["best_trial"] |= {"params": {}, "metrics": {"recall_at_10": 0.1}}

    SearchConsole(Goals({"recall_at_10": "maximize", "coverage_at_10": "maximize"})).summary(
        found, []
    )

    lines = capsys.readouterr().out.splitlines()
    assert lines[lines.index(f"{trade_off(found)}") - 1].endswith("coverage_at_10 0.6000  chosen")


def test_of_a_long_front_some_are_listed_and_the_chosen_trial(
    capsys: pytest.CaptureFixture[str],
) -> None:
    front = [(number, [0.9 - number / 100, number / 100]) for number in range(50)]
    found = results(*front, chosen=14, **TWO)
    SearchConsole(Goals(TWO))._front(found)
    lines = capsys.readouterr().out.splitlines()
    numbers = [int(line.split()[1]) for line in lines if line.startswith("  trial")]
    assert numbers == sorted([*range(0, 50, 3), 14])
    assert "  18 of the 50 trials on the front" in lines
