"""The clock of the comparison, with a timer that the test moves."""

import pytest

from benchmarks.comparison.clock import MARKS, PATIENCE, Recorder
from benchmarks.comparison.problem import StopTraining


class Timer:
    """Seconds that pass only where the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Training:
    """A recorder, and passes of a given length whose quality is that of `values`."""

    def __init__(self, budget: float, values: list[float], evaluation: float = 50.0) -> None:
        self.timer = Timer()
        self.values = values
        self.evaluation = evaluation
        self.recorder = Recorder(self.score, budget, self.timer)

    def score(self, scorer: int) -> dict[str, float]:
        self.timer.now += self.evaluation
        return {"ndcg_at_20": self.values[min(scorer, len(self.values) - 1)]}

    def run(self, passes: int, seconds: float) -> bool:
        """Whether all passes were made."""
        for number in range(1, passes + 1):
            self.timer.now += seconds
            try:
                self.recorder(number, lambda number=number: number)
            except StopTraining:
                return False
        return True

    def scored(self) -> list[tuple[int | None, float]]:
        return [(point.passes, point.seconds) for point in self.recorder.points]


RISING = [i / 1000 for i in range(1000)]


def test_evaluation_is_not_timed():
    training = Training(budget=1000, values=RISING)
    assert training.run(passes=3, seconds=10)
    assert training.scored() == [(1, 10), (2, 20), (3, 30)]


def test_the_last_state_before_each_mark_is_scored():
    training = Training(budget=300, values=RISING)
    assert not training.run(passes=10_000, seconds=0.75)
    times = [seconds for _, seconds in training.scored()]
    assert times == sorted(set(times))
    for mark in (mark for mark in MARKS if 1 <= mark <= 300):
        latest = max(seconds for seconds in times if seconds <= mark)
        assert mark - 0.75 <= latest <= mark


def test_fast_passes_are_not_all_scored():
    training = Training(budget=60, values=RISING)
    assert not training.run(passes=100_000, seconds=0.01)
    assert len(training.scored()) == sum(mark <= 60 for mark in MARKS)


@pytest.mark.parametrize(("seconds", "passes"), [(12, 5), (61, 1), (20, 3)])
def test_no_pass_begins_that_would_exceed_the_budget(seconds, passes):
    training = Training(budget=60, values=RISING)
    assert not training.run(passes=100, seconds=seconds)
    assert training.scored()[-1] == (passes, seconds * passes)


def test_patience():
    training = Training(budget=10_000, values=[0, 0.1, 0.2, 0.15])
    assert not training.run(passes=100, seconds=100)
    assert len(training.scored()) == 2 + PATIENCE


def test_equal_scores_are_not_better():
    training = Training(budget=10_000, values=[0, 0.1])
    assert not training.run(passes=100, seconds=100)
    assert len(training.scored()) == 1 + PATIENCE


def test_a_closed_form_is_scored_once_at_its_end():
    training = Training(budget=1, values=RISING)
    training.timer.now += 7
    training.recorder.finish(5)
    assert training.scored() == [(None, 7)]


def test_the_final_state_is_scored_once():
    training = Training(budget=1000, values=RISING)
    training.run(passes=2, seconds=0.06)  # neither pass comes near a mark of the clock
    assert training.scored() == []
    training.recorder.finish(2)
    assert training.scored() == [(2, pytest.approx(0.12))]
    ended = Training(budget=1000, values=RISING)
    ended.run(passes=1, seconds=10)
    ended.recorder.finish(1)
    assert ended.scored() == [(1, 10)]
