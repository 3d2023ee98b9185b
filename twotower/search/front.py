"""What a search is after: one objective, or several, their Pareto front and the choice from it.

A trial is on the front if no other is at least as good in every objective and better in one.

Source: Deb, Pratap, Agarwal and Meyarivan, "A fast and elitist multiobjective genetic algorithm:
NSGA-II", IEEE Transactions on Evolutionary Computation, 2002, for ranks and crowding distances.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from twotower.common.arrays import BoolArray, Float64Array, Int64Array
from twotower.common.errors import SearchError
from twotower.common.files import round_float
from twotower.config.hpo import ChooseConfig, HpoConfig
from twotower.evaluation.metrics import Direction
from twotower.search.trial import Trial, complete_by_value

ROUNDING = 1e-7
"""Relative difference of two values that may come from rounding alone."""

OTHER_LIMITS = (
    "the trials are kept: with other limits, or another keep, the next run chooses from them"
)


class LimitsError(SearchError):
    """No trial of the front is within the limits of `hpo.choose`."""


@dataclass(frozen=True)
class FrontTrial:
    """A trial on the front.

    Attributes:
        trial: complete.
        is_allowed: whether it satisfies `hpo.choose`.
        score: its weighted sum of the objectives.
    """

    trial: Trial
    is_allowed: bool
    score: float


@dataclass(frozen=True)
class Goals:
    """Objectives, and the rule that chooses from their front.

    Attributes:
        directions: of each objective, the first one first.
        choose: the rule.
    """

    directions: Mapping[str, Direction]
    choose: ChooseConfig = field(default_factory=ChooseConfig)

    @classmethod
    def of(cls, config: HpoConfig) -> "Goals":
        """Those of `hpo.objective`, or of `hpo.objectives` and `hpo.choose`."""
        return cls(config.directions, config.choose)

    @property
    def objective(self) -> str:
        """The first one."""
        return next(iter(self.directions))

    @property
    def are_several(self) -> bool:
        """Whether there is a front to choose from."""
        return len(self.directions) > 1

    def text(self, trial: Trial) -> str:
        """The objectives of a complete trial in words."""
        pairs = zip(self.directions, trial.values, strict=True)
        return ", ".join(f"{name} {value:.4f}" for name, value in pairs)

    def ordered(self, trials: Iterable[Trial]) -> list[Trial]:
        """Complete trials, the one that would be chosen first.

        With one objective the highest value comes first. With several, those follow that no other
        dominates, then those that only they dominate, and so on; among equals in that, the ends of
        each objective and those with the fewest neighbours.
        """
        complete = complete_by_value(trials)
        if not self.are_several or not complete:
            return complete
        complete.sort(key=lambda trial: trial.number)
        ordered = [complete[place] for place in best_first(self._gains(complete))]
        first = self._choice(self.front(complete))
        return sorted(ordered, key=lambda trial: trial is not first)

    def front(self, trials: Iterable[Trial]) -> list[FrontTrial]:
        """The trials that no other dominates, the best of the first objective first."""
        complete = complete_by_value(trials)
        if not complete:
            return []
        gains = self._gains(complete)
        on_front = np.flatnonzero(non_dominated(gains))
        found, gains = [complete[place] for place in on_front], gains[on_front]
        scores = _scaled(gains) @ np.array([self._weight(name) for name in self.directions])
        best = max(trial.values[0] for trial in found)
        return [
            FrontTrial(trial, self._is_allowed(trial, best), round_float(float(score)))
            for trial, score in zip(found, scores, strict=True)
        ]

    def chosen(self, trials: Iterable[Trial]) -> Trial | None:
        """The trial to refit: of the highest value, or what `hpo.choose` takes from the front.

        None if no trial is complete.

        Raises:
            LimitsError: if none on the front is within the limits.
        """
        front = self.front(trials)
        chosen = self._choice(front)
        if front and chosen is None:
            raise LimitsError(self._out_of_limits(front))
        return chosen

    def _choice(self, front: Sequence[FrontTrial]) -> Trial | None:
        allowed = [one for one in front if one.is_allowed]
        best = min(allowed, key=lambda one: (-one.score, one.trial.number), default=None)
        return best.trial if best else None

    def _gains(self, trials: Sequence[Trial]) -> Float64Array:
        """[num_trials, num_objectives] values, more is better."""
        signs = [1.0 if way == "maximize" else -1.0 for way in self.directions.values()]
        return np.array([trial.values for trial in trials]) * signs

    def _weight(self, name: str) -> float:
        return self.choose.weights.get(name, 0.0) if self.choose.weights else 1.0

    def _is_allowed(self, trial: Trial, best: float) -> bool:
        """Whether it satisfies the rule, with this value of the first objective as the best."""
        if not self.are_several:
            return True
        values = dict(zip(self.directions, trial.values, strict=True))
        return self._is_kept(trial, best) and all(
            values[name] >= limit if self.directions[name] == "maximize" else values[name] <= limit
            for name, limit in self.choose.limits.items()
        )

    def _is_kept(self, trial: Trial, best: float) -> bool:
        keep = self.choose.keep
        return keep is None or trial.values[0] >= keep * best * (1 - ROUNDING)

    def _out_of_limits(self, front: Sequence[FrontTrial]) -> str:
        """One line that says how far the limits can be kept."""
        every, keep = [one.trial for one in front], self.choose.keep
        kept = [trial for trial in every if self._is_kept(trial, every[0].values[0])]
        found = []
        for name, limit in self.choose.limits.items():
            place, way = list(self.directions).index(name), self.directions[name]
            end, best_of = ("least", max) if way == "maximize" else ("most", min)
            best, further = (best_of(t.values[place] for t in trials) for trials in (kept, every))
            without = f", {further:g} without keep" if further != best else ""
            found.append(f"{name} of at {end} {limit:g} (the best is {best:g}{without})")
        among = f" with at least {100 * keep:g} % of its best {self.objective}" if keep else ""
        return f"hpo.choose: no trial of the front{among} has {' and '.join(found)}; {OTHER_LIMITS}"


def non_dominated(gains: Float64Array) -> BoolArray:
    """[num_points] whether no other point is as good everywhere and better somewhere.

    Args:
        gains: [num_points, num_objectives], more is better.
    """
    is_free: BoolArray = _dominated(gains).sum(axis=1) == 0
    return is_free


def best_first(gains: Float64Array) -> list[int]:
    """Places of the points by rank, then by crowding distance, then as they are; gains as above."""
    ranks, crowding = ranks_of(gains), np.zeros(len(gains))
    for rank in np.unique(ranks):
        crowding[ranks == rank] = crowding_distances(gains[ranks == rank])
    places: list[int] = np.lexsort((-crowding, ranks)).tolist()
    return places


def ranks_of(gains: Float64Array) -> Int64Array:
    """[num_points] 0 on the front, 1 on the front of all others, and so on; gains as above."""
    dominated = _dominated(gains)
    num_better = dominated.sum(axis=1)
    ranks = np.full(len(gains), -1, dtype=np.int64)
    rank = 0
    while (front := np.flatnonzero((ranks < 0) & (num_better == 0))).size:
        ranks[front] = rank
        num_better -= dominated[:, front].sum(axis=1)
        rank += 1
    return ranks


def crowding_distances(gains: Float64Array) -> Float64Array:
    """[num_points] distance between the neighbours of each, infinite at the ends; gains as above.

    The distance is summed over the objectives, each as a share of its range.
    """
    distances = np.zeros(len(gains))
    for column in _scaled(gains).T:
        order = np.argsort(column, kind="stable")
        distances[order[[0, -1]]] = np.inf
        distances[order[1:-1]] += column[order[2:]] - column[order[:-2]]
    return distances


def _dominated(gains: Float64Array) -> BoolArray:
    """[num_points, num_points] whether the point of the row is dominated by that of the column."""
    is_matched = np.ones((len(gains), len(gains)), dtype=bool)
    for column in gains.T:
        is_matched &= column[:, np.newaxis] <= column
    return is_matched & ~is_matched.T


def _scaled(gains: Float64Array) -> Float64Array:
    """Each objective from 0, the worst here, to 1, the best; 0 where all are equal."""
    low = gains.min(axis=0)
    width = gains.max(axis=0) - low
    scaled: Float64Array = np.divide(gains - low, width, out=np.zeros_like(gains), where=width > 0)
    return scaled
