import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.assessment.boards import board, interactions, lists, target
from twotower.assessment.scoreboard import Scoreboard
from twotower.assessment.slices import (
    COLD,
    advice,
    by_metric,
    item_groups,
    later_share,
    popularity_bias,
    slices,
)
from twotower.data.interactions import Interactions

# Items 0, 1, 2 and 3 have 6, 3, 3 and 0 rows. Users 0, 1 and 2 have 2, 4 and 6 rows.
KNOWN = interactions(
    [(0, 0)] * 2 + [(1, 0)] * 1 + [(1, 1)] * 3 + [(2, 0)] * 3 + [(2, 2)] * 3
)  # fmt: skip
MODEL = [[0, 9, 8, 1], [0, 1, 9, 8], [1, 9, 2, 3]]
OTHER = [[0, 1, 8, 9], [2, 1, 9, 8], [1, 3, 2, 9]]


@pytest.fixture
def scored() -> Scoreboard:
    wanted = target(lists([1, 2], [2], [1, 3]), lists([0], [0, 1], [0, 2]), 4, absent=[0, 1, 0])
    return board(wanted, KNOWN, "recall_at_2", optimized=MODEL, popularity=OTHER)


def test_items_are_grouped_by_thirds_of_the_rows() -> None:
    assert item_groups(np.array([6, 3, 3, 0])).tolist() == [0, 1, 2, COLD]
    assert item_groups(np.array([1, 100, 1])).tolist() == [2, 0, 2]
    assert item_groups(np.zeros(3, np.int64)).tolist() == [COLD] * 3


@given(st.lists(st.integers(0, 50), min_size=1, max_size=30))
def test_no_item_is_in_a_group_below_one_that_is_less_popular(counts: list[int]) -> None:
    groups = item_groups(np.array(counts))
    ordered = [groups[i] for i in sorted(range(len(counts)), key=lambda i: -counts[i])]
    assert ordered == sorted(ordered)
    assert all((group == COLD) == (count == 0) for group, count in zip(groups, counts, strict=True))


def test_users_by_activity(scored: Scoreboard) -> None:
    found = slices(scored, seed=1)
    activity = found["user_activity"]
    assert {name: group["training_rows"] for name, group in activity.items()} == {
        "light": [2, 2],
        "medium": [4, 4],
        "heavy": [6, 6],
    }
    # User 0 finds both of two, user 1 one of two (the other is not in the catalogue), 2 both.
    assert [activity[name]["means"]["optimized"] for name in activity] == [1.0, 0.5, 1.0]
    assert found["user_metric"] == found["item_metric"] == "recall_at_2"


def test_equally_active_users_stay_together(scored: Scoreboard) -> None:
    same = interactions([(user, 0) for user in range(3)])
    active = board(scored.target, same, "recall_at_2", optimized=MODEL, popularity=OTHER)
    [(name, group)] = slices(active, seed=1)["user_activity"].items()
    assert (name, group["num_users"]) == ("light", 3)


def test_items_by_popularity_and_warmth(scored: Scoreboard) -> None:
    found = slices(scored, seed=1)
    popularity = found["item_popularity"]
    assert set(popularity) == {"middle", "tail"}  # nobody is to find item 0
    # Item 1 is to be found by users 0 and 2, item 2 by users 0 and 1.
    assert popularity["middle"]["means"] == {
        "optimized": 1.0,
        "popularity": 0.5,
        "random": pytest.approx((2 / 3 + 1) / 2),
    }
    assert popularity["tail"]["num_relevant"] == 2
    cold = found["warmth"]["cold"]
    # Item 3, which user 2 is to find, and what user 1 is to find and the catalogue lacks.
    assert (cold["num_relevant"], cold["num_users"], cold["num_items"]) == (2, 2, 1)
    assert cold["means"]["optimized"] == 0.5
    assert cold["means"]["random"] == pytest.approx((0 + 1) / 2)


def test_p_values_are_adjusted_over_all_slices(scored: Scoreboard) -> None:
    found = slices(scored, seed=1)
    groups = [
        group
        for section in ("user_activity", "item_popularity", "warmth")
        for group in found[section].values()
    ]
    assert len(groups) == 7
    smallest = min(groups, key=lambda group: group["p_value"])
    assert smallest["p_holm"] == pytest.approx(min(1.0, 7 * smallest["p_value"]))
    assert all(group["p_value"] <= group["p_holm"] <= 1 for group in groups)
    assert found["compared_with"] in {"popularity", "random"}


def test_what_is_shown_is_as_popular_as_it_is(scored: Scoreboard) -> None:
    bias = popularity_bias(scored, k=2)
    # The model shows items 1 and 2, 2 and 3, 1 and 3, whose ranks are 2, 3 and 4.
    assert bias["optimized"] == {
        "coverage_at_2": 0.75,
        "mean_popularity_rank": pytest.approx((2 + 3 + 3 + 4 + 2 + 4) / 6),
        "top_tenth_share": 0.0,
    }
    # Without what is masked, users 0, 1 and 2 have ranks 2 to 4, 3 and 4, 2 and 4.
    assert bias["random"]["mean_popularity_rank"] == pytest.approx((3 + 3.5 + 3) / 3)
    # Of each other item there is a user with two candidates, who is shown both; 0 is masked.
    assert bias["random"]["coverage_at_2"] == pytest.approx(0.75)


@pytest.fixture
def first_and_second() -> Scoreboard:
    """The model finds everything first, one baseline everything second, the other nothing."""
    users, order = 30, np.arange(4)
    wanted = target(lists(*([1] for _ in range(users))), lists(*([0] for _ in range(users))), 4)
    known = interactions([(user, 0) for user in range(users)])
    first, last = ([[float(x) for x in -abs(order - best)]] * users for best in (1, 3))
    second = [[0.0, 1.0, 2.0, 0.0]] * users
    return board(wanted, known, "recall_at_2", optimized=first, ease=second, popularity=last)


def test_every_metric_is_against_the_strongest_by_the_objective(
    first_and_second: Scoreboard,
) -> None:
    assert first_and_second.strongest() == "ease"
    found = by_metric(first_and_second, seed=1)
    not_compared = first_and_second.random.per_user.keys() - found.keys()
    assert not_compared == {"novelty_at_1", "novelty_at_2"}
    assert found["recall_at_1"]["difference"] == 1.0
    assert found["mrr"]["difference"] == 0.5
    assert found["recall_at_2"] == {"difference": 0.0, "p_holm": 1.0, "p_value": 1.0}


def test_p_values_are_adjusted_over_the_metrics(first_and_second: Scoreboard) -> None:
    found = by_metric(first_and_second, seed=1)
    assert found["mrr"]["p_value"] < 0.001
    assert found["mrr"]["p_holm"] == pytest.approx(len(found) * found["mrr"]["p_value"])


def test_training_rows_after_the_average_test_event_are_counted(scored: Scoreboard) -> None:
    def share(training: Interactions, *test: Interactions) -> float | None:
        splits = dict(zip(["test"], test, strict=False))
        return later_share(board(scored.target, training, "mrr", splits, optimized=MODEL))

    pairs = [(0, 0), (1, 0), (0, 1), (1, 1)]
    training = interactions(pairs, [0, 2, 3, 9.75])
    test = interactions([(0, 2), (1, 3)], [9, 10])
    assert share(training, test) == pytest.approx(1 / 4)
    assert share(interactions(pairs), interactions([(0, 1)])) is None
    assert share(training) is None


def test_a_cutoff_is_advised_where_much_of_training_is_later() -> None:
    assert advice(None) is None
    assert advice(0.1) is None
    assert "40% of the training rows" in str(advice(0.4))
    assert "split.strategy: cutoff" in str(advice(0.4))
