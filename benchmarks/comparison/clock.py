"""Scores along the way: the clock runs in training and is stopped during evaluation."""

import time
from bisect import bisect_left
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from benchmarks.comparison.problem import GetScorer, StopTraining
from twotower.evaluation.ranking import Scorer

OBJECTIVE = "ndcg_at_20"
"""Metric by which validation chooses, unless a data set has another."""
FRONTIER = (5.0, 10.0, 30.0, 60.0, 300.0)
"""Seconds at which methods are compared."""
MARKS = (
    *(0.2, 0.5, 1, 2, 3, 5, 7, 10, 15, 20, 30, 45),
    *(60 * minutes for minutes in (1, 1.5, 2, 3, 4, 5, 7, 10, 15, 20, 30, 45, 60, 90, 120)),
)
"""Seconds before each of which the last state is scored."""
PATIENCE = 5
"""Scores without a better one after which a setting is given up: later ones are far apart."""


@dataclass(frozen=True)
class Point:
    """How well a setting does after some training.

    Attributes:
        passes: over the data; None for a closed form.
        seconds: of training, without evaluation.
        metrics: of the validation split.
    """

    passes: int | None
    seconds: float
    metrics: Mapping[str, float]


class Recorder:
    """An OnPass that scores some of the states and ends training in time.

    A state is scored if the next pass, when it takes as long as the last one, would go beyond the
    next of MARKS: what counts at a mark is the last state before it. Training ends when another
    pass would exceed the budget, or after PATIENCE scores without a better one.

    Attributes:
        points: what was scored, in order.
    """

    def __init__(
        self,
        score: Callable[[Scorer], Mapping[str, float]],
        budget: float,
        timer: Callable[[], float] = time.perf_counter,
        objective: str = OBJECTIVE,
    ) -> None:
        """Start the clock.

        Args:
            score: metrics of a scorer on validation.
            budget: seconds of training.
            timer: seconds from any origin.
            objective: metric that tells a better score.
        """
        self.points: list[Point] = []
        self._score = score
        self._budget = budget
        self._timer = timer
        self._objective = objective
        self._seconds = self._last_pass = 0.0
        self._marks_passed = 0
        self._passes: int | None = None
        self._resumed = timer()

    def __call__(self, passes: int, scorer: GetScorer) -> None:
        """See OnPass."""
        self._seconds += self._timer() - self._resumed
        took = self._seconds - self._last_pass
        self._last_pass, self._passes = self._seconds, passes
        ahead = self._seconds + took
        marks_passed = bisect_left(MARKS, ahead)
        if marks_passed > self._marks_passed or ahead > self._budget:
            self._marks_passed = marks_passed
            self._add(scorer())
        if ahead > self._budget or self._is_stale():
            raise StopTraining
        self._resumed = self._timer()

    def finish(self, scorer: Scorer) -> None:
        """Score the final state, if the last pass was not."""
        self._seconds += self._timer() - self._resumed
        if not self.points or self.points[-1].passes != self._passes:
            self._add(scorer)

    def _add(self, scorer: Scorer) -> None:
        self.points.append(Point(self._passes, self._seconds, self._score(scorer)))

    def _is_stale(self) -> bool:
        values = [point.metrics[self._objective] for point in self.points]
        return bool(values) and len(values) - 1 - values.index(max(values)) >= PATIENCE
