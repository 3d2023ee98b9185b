"""How long a search still takes, by hand."""

import pytest

from twotower.search.time_left import TimeLeft, in_words
from twotower.search.trial import Trial

TRAINED = {"init": "random", "lr": 0.01}
CLOSED = {"init": "ridge", "ridge_penalty": 1}
START = 1_000_000


def learned(*trials: tuple[dict[str, object], float]) -> TimeLeft:
    left = TimeLeft()
    for number, (params, seconds) in enumerate(trials):
        end = START + round(1000 * seconds)
        left.add(Trial(number, "COMPLETE", params, started=START, finished=end))
    return left


def test_too_few_trials_say_nothing() -> None:
    assert learned((TRAINED, 10), (TRAINED, 10)).estimate([], 5, 1) is None


def test_trials_of_a_kind_cost_the_same() -> None:
    assert learned(*[(TRAINED, 10)] * 3).estimate([], 5, 1) == 50


def test_the_next_are_of_the_kinds_of_the_last() -> None:
    # Expected: (2 · 10 + 2 · 1) / 4 = 5.5 s each.
    left = learned((TRAINED, 10), (TRAINED, 10), (CLOSED, 1), (CLOSED, 1))
    assert left.estimate([], 4, 1) == 22


def test_what_the_first_of_a_kind_computes_for_all_is_not_counted_again() -> None:
    left = learned((TRAINED, 10), (CLOSED, 600), (CLOSED, 1), (CLOSED, 1))
    assert left.estimate([], 4, 1) == 10 + 1 + 1 + 1


def test_running_trials_cost_what_is_left_of_them() -> None:
    left = learned((TRAINED, 10), (TRAINED, 10), (CLOSED, 1), (CLOSED, 1))
    # 10 - 4 of one, nothing of the other, which is late; one to come.
    assert left.estimate([(TRAINED, 4), (CLOSED, 3)], 1, 1) == 6 + 0 + 5.5


def test_a_kind_that_has_not_finished_costs_the_mean() -> None:
    left = learned(*[(CLOSED, 2)] * 3)
    assert left.estimate([(TRAINED, 0)], 0, 1) == 2


def test_workers_share_the_work_but_no_trial() -> None:
    left = learned(*[(TRAINED, 10)] * 3)
    assert left.estimate([(TRAINED, 0), (TRAINED, 0)], 4, 2) == 30
    assert left.estimate([(TRAINED, 0)], 0, 4) == 10


def test_failed_trials_and_trials_without_times_teach_nothing() -> None:
    left = learned(*[(TRAINED, 10)] * 3)
    left.add(Trial(3, "FAIL", TRAINED, failure="diverged", started=START, finished=START + 1))
    left.add(Trial(4, "COMPLETE", CLOSED))
    assert left.estimate([], 1, 1) == 10


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "about 5 s"),
        (37, "about 35 s"),
        (56, "about 1 min"),
        (250, "about 4 min"),
        (3599, "about 1 h"),
        (4300, "about 1 h 10 min"),
        (7100, "about 2 h"),
    ],
)
def test_in_words(seconds: float, words: str) -> None:
    assert in_words(seconds) == words
