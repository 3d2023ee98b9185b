"""The results of the best few trials on fresh seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev, variance
from typing import Any

from twotower.common.files import round_float
from twotower.search.front import Goals
from twotower.search.trial import Trial

Runs = Sequence[Trial]
"""One trial, trained again with each fresh seed, in the order of the seeds; at least two."""


@dataclass(frozen=True)
class Confirmed:
    """The best few trials, and the one that fresh seeds choose.

    Attributes:
        trials: at least one; those of the highest values in the search, best first.
        runs: of each trial, by its number.
        top: number of trials that `hpo.confirm` requests.
        goals: decide which mean is the best.
        search_spread: standard deviation of the values of all complete trials; None for one.
    """

    trials: Sequence[Trial]
    runs: Mapping[int, Runs]
    top: int
    goals: Goals
    search_spread: float | None

    @property
    def chosen(self) -> Trial:
        """The best mean over the fresh seeds, whatever its values in the search were.

        Of equal means it is the trial that was better in the search. A trial that failed with a
        fresh seed is chosen only if all have.

        Raises:
            LimitsError: if no mean is within the limits of `hpo.choose`.
        """
        means = {trial.number: trial for trial in self.means}
        sound = [trial for trial in self.trials if trial.number in means]
        if self.goals.are_several and (mean := self.goals.chosen(means.values())):
            return next(trial for trial in sound if trial.number == mean.number)
        return max(sound, key=lambda trial: means[trial.number].values, default=self.trials[0])

    @property
    def means(self) -> list[Trial]:
        """The trials that no fresh seed failed, with their means over the seeds for values."""
        return [
            replace(trial, value=value, further=further)
            for trial in self.trials
            if not _failure(self.runs[trial.number])
            for value, *further in [_means(self.runs[trial.number])]
        ]

    @property
    def seed_spread(self) -> float | None:
        """Standard deviation of the value from seed to seed, pooled over the trials."""
        variances = [variance(_values(r)) for r in self.runs.values() if not _failure(r)]
        return fmean(variances) ** 0.5 if variances else None

    def metrics(self) -> dict[str, float]:
        """Mean of each metric of the chosen trial over the fresh seeds; empty if one failed."""
        runs = self.runs[self.chosen.number]
        if _failure(runs):
            return {}
        return {name: fmean(run.metrics[name] for run in runs) for name in self.chosen.metrics}

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "chosen": self.chosen.number,
            "seeds": len(self.runs[self.chosen.number]),
            "spread": {"seeds": self.seed_spread, "trials": self.search_spread},
            "top": self.top,
            "trials": [_to_json(trial, self.runs[trial.number]) for trial in self.trials],
        }


def _to_json(trial: Trial, runs: Runs) -> dict[str, Any]:
    failure = _failure(runs)
    return {
        "failure": failure,
        "mean": None if failure else _means(runs)[0],
        "number": trial.number,
        "std": None if failure else stdev(_values(runs)),
        "value": trial.value,
        "values": [run.value for run in runs],
    }


def _failure(runs: Runs) -> str | None:
    """Why the first run that failed did."""
    return next((run.failure for run in runs if run.failure is not None), None)


def _values(runs: Runs) -> list[float]:
    """Of the objective, for each seed that did not fail."""
    return [run.value for run in runs if run.value is not None]


def _means(runs: Runs) -> list[float]:
    """Of each objective over the fresh seeds, none of which failed."""
    return [
        round_float(fmean(values)) for values in zip(*(run.values for run in runs), strict=True)
    ]
