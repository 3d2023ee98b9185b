"""Fronts and choices that were worked out by hand."""

from typing import Any

import numpy as np
import pytest

from twotower.common.errors import SearchError
from twotower.config import parse_config
from twotower.config.hpo import ChooseConfig
from twotower.search.front import Goals, crowding_distances, non_dominated, ranks_of
from twotower.search.trial import Trial

# Recall and Gini index: 1 is dominated by 0 and 4, 3 by all; 5 failed.
VALUES = {
    0: (0.20, 0.50),
    1: (0.19, 0.60),
    2: (0.18, 0.30),
    3: (0.10, 0.70),
    4: (0.195, 0.40),
}


def trial(number: int, *values: float) -> Trial:
    if not values:
        return Trial(number, "FAIL", {}, failure="diverged")
    return Trial(number, "COMPLETE", {}, value=values[0], further=list(values[1:]))


TRIALS = [*(trial(number, *values) for number, values in VALUES.items()), trial(5)]


def goals(**choose: Any) -> Goals:
    return Goals({"recall_at_10": "maximize", "gini_at_10": "minimize"}, ChooseConfig(**choose))


def test_the_front_has_what_no_other_trial_dominates() -> None:
    front = goals().front(TRIALS)
    assert [one.trial.number for one in front] == [0, 4, 2]
    # 0.95 of 0.20 is 0.19.
    assert [one.is_allowed for one in front] == [True, True, False]
    # Recall from 0.18 to 0.20, Gini index from 0.50 to 0.30.
    assert [one.score for one in front] == pytest.approx([1.0, 0.75 + 0.5, 1.0])


@pytest.mark.parametrize(
    ("choose", "number"),
    [
        ({}, 4),
        ({"keep": 1}, 0),
        ({"keep": None, "weights": {"gini_at_10": 1}}, 2),
        ({"keep": None, "weights": {"recall_at_10": 1}}, 0),
        ({"keep": None, "weights": {"recall_at_10": 3, "gini_at_10": 1}}, 0),
        ({"keep": None, "weights": {"recall_at_10": 1, "gini_at_10": 2}}, 2),
        ({"keep": None, "limits": {"gini_at_10": 0.3}, "weights": {"recall_at_10": 1}}, 2),
        ({"keep": None, "limits": {"gini_at_10": 0.45}, "weights": {"recall_at_10": 1}}, 4),
        ({"keep": 0.95, "limits": {"recall_at_10": 0.2}}, 0),
    ],
)
def test_the_rule_chooses(choose: dict[str, Any], number: int) -> None:
    chosen = goals(**choose).chosen(TRIALS)
    assert chosen == TRIALS[number]
    assert goals(**choose).chosen(TRIALS[::-1]) == chosen
    assert goals(**choose).ordered(TRIALS)[0] == chosen


def test_rounding_excludes_no_trial_that_keeps_just_enough() -> None:
    assert 0.18 < 0.9 * 0.2, "in binary"
    just = [trial(0, 0.2, 0.5), trial(1, 0.18, 0.4)]
    assert [one.is_allowed for one in goals(keep=0.9).front(just)] == [True, True]


def test_of_equal_sums_the_lower_number_is_chosen() -> None:
    ends = [trial(3, 0.2, 0.5), trial(1, 0.1, 0.4)]
    assert goals(keep=None).chosen(ends) == ends[1]
    twins = [trial(2, 0.2, 0.5), trial(0, 0.2, 0.5)]
    assert [one.trial.number for one in goals().front(twins)] == [0, 2]
    assert goals().chosen(twins) == twins[1]


def test_limits_that_none_keeps_are_an_error_that_says_what_there_is() -> None:
    strict = goals(limits={"gini_at_10": 0.35})
    rule = (
        r"no trial of the front with at least 95 % of its best recall_at_10 has gini_at_10 of at "
        r"most 0.35 \(the best is 0.4, 0.3 without keep\); the trials are kept"
    )
    with pytest.raises(SearchError, match=rule):
        strict.chosen(TRIALS)
    assert strict.chosen(TRIALS[5:]) is None
    assert strict.ordered(TRIALS)[0] in (TRIALS[0], TRIALS[2])  # an end of the front


def test_fronts_come_one_after_the_other_and_their_ends_first() -> None:
    more = [*TRIALS, trial(6, 0.196, 0.41)]
    assert [one.number for one in goals(keep=1).ordered(more)] == [0, 2, 4, 6, 1, 3]


def test_with_one_objective_the_highest_value_is_first() -> None:
    one = Goals({"recall_at_10": "maximize"})
    trials = [trial(0, 0.1), trial(1, 0.3), trial(2, 0.3), trial(3)]
    assert [t.number for t in one.ordered(trials)] == [1, 2, 0]
    assert one.chosen(trials) == trials[1]
    assert one.chosen([]) is None


def test_ranks_and_distances() -> None:
    gains = np.array([[1.0, 4.0], [2.0, 3.0], [4.0, 1.0], [1.0, 3.0], [1.0, 1.0], [2.0, 3.0]])
    assert non_dominated(gains).tolist() == [True, True, True, False, False, True]
    assert ranks_of(gains).tolist() == [0, 0, 0, 1, 2, 0]
    line = np.array([[0.0, 10.0], [1.0, 9.0], [4.0, 2.0], [5.0, 0.0]])
    # Neighbours of the second are 4 and 8 apart, of 5 and of 10; of the third 4 and 9.
    expected = [np.inf, 0.8 + 0.8, 0.8 + 0.9, np.inf]
    assert crowding_distances(line) == pytest.approx(expected)


def test_directions_are_those_of_the_metrics_unless_they_are_named() -> None:
    listed = parse_config({"hpo": {"objectives": ["mrr", "gini_at_5", "novelty_at_5"]}}).hpo
    assert listed.directions == {
        "mrr": "maximize",
        "gini_at_5": "minimize",
        "novelty_at_5": "maximize",
    }
    assert listed.objective == "mrr"
    named = parse_config({"hpo": {"objectives": ["mrr", {"coverage_at_5": "minimize"}]}}).hpo
    assert named.directions == {"mrr": "maximize", "coverage_at_5": "minimize"}
    # The order is kept by files that sort the keys of mappings.
    assert parse_config({"hpo": named.model_dump(mode="json")}).hpo == named
    assert parse_config({}).hpo.directions == {"recall_at_10": "maximize"}
