"""metrics/item_groups.json of a board whose every number is known."""

import numpy as np

from tests.assessment.boards import Fixed, board, interactions, lists, target
from twotower.assessment.assess import further_objectives
from twotower.assessment.item_groups import NO_GROUPS, item_groups, summary_of_groups
from twotower.assessment.scoreboard import Scoreboard
from twotower.evaluation.item_groups import by_group

USERS = 40
WANTED = target(lists(*([1, 2 + user % 2] for user in range(USERS))), lists(*[[0]] * USERS), 4)
"""Everybody has chosen item 0, and looks for item 1 and for one of the cold items 2 and 3."""
ROWS = interactions([(user, user % 2) for user in range(USERS)])


def grouped() -> Scoreboard:
    made = board(
        WANTED,
        ROWS,
        "recall_at_1",
        popularity=[[2.0, 1.0, 0.0, 0.0]] * USERS,
        optimized=[[0.0, 0.0, user % 2 == 0, user % 2] for user in range(USERS)],
    )
    groups = by_group(WANTED, np.array([True, True, False, False]))
    made.groups = {name: made.of_group(groups[name]) for name in ("warm", "cold")}
    for name, evaluation in (("optimized", [0, 0, 1, 0]), ("popularity", [2, 1, 0, 0])):
        made.add(name, Fixed([[float(value) for value in evaluation]] * USERS))
    made.add_seed(Fixed([[0.0, 0.0, 1.0, 0.0]] * USERS))
    return made


def content() -> dict:
    return item_groups(grouped(), seed=1)


def test_every_scorer_is_measured_on_each_group() -> None:
    groups = content()["groups"]
    means = {
        name: {s: group["metrics"][s]["recall_at_1"] for s in group["metrics"]}
        for name, group in groups.items()
    }
    # Of the warm items only one is a candidate; of the cold ones half are found, as by chance.
    assert means["warm"] == {"optimized": 1.0, "popularity": 1.0, "random": 1.0}
    assert means["cold"] == {"optimized": 0.5, "popularity": 0.5, "random": 0.5}
    assert groups["cold"]["evaluated"]["num_items"] == 2
    low, high = groups["cold"]["intervals"]["optimized"]
    assert low < 0.5 < high
    assert groups["cold"]["comparisons"]["popularity"]["difference"] == 0.0
    assert not groups["cold"]["comparisons"]["random"]["beaten"]


def test_further_objectives_are_measured_among_their_items() -> None:
    def found(*keys: str) -> dict[str, float]:
        return further_objectives(grouped(), [{"metric": key} for key in keys])

    # All 40 users are shown item 2, one of 4 items, and one of the 2 cold ones.
    assert found("recall_at_1", "coverage_at_1", "coverage_at_1_cold", "mrr_warm") == {
        "coverage_at_1": 0.25,
        "coverage_at_1_cold": 0.5,
        "mrr_warm": 1.0,
    }
    assert found("recall_at_1_cold", "coverage_at_1") == {}, "the board would be of cold items"
    assert further_objectives(grouped(), []) == {}


def test_a_line_for_each_group() -> None:
    assert list(summary_of_groups(content()))[1] == (
        "cold items: optimized 0.5000, best baseline popularity 0.5000, random 0.5000 "
        "(40 users, 2 items)"
    )


def test_without_groups_it_says_why() -> None:
    made = board(WANTED, ROWS, "recall_at_1", optimized=[[0.0] * 4] * USERS)
    assert item_groups(made, seed=1) == NO_GROUPS
    assert list(summary_of_groups(NO_GROUPS)) == []
