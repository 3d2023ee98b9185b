"""What fresh seeds say of the best few trials."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev, variance
from typing import Any

from twotower.common.files import round_float
from twotower.search.trial import Trial


@dataclass(frozen=True)
class ConfirmedTrial:
    """A trial, trained again.

    Attributes:
        trial: as the search found it.
        runs: one for each fresh seed, in the order of the seeds; at least two.
    """

    trial: Trial
    runs: Sequence[Trial]

    @property
    def failure(self) -> str | None:
        """Why the first run that failed did."""
        return next((run.failure for run in self.runs if run.failure is not None), None)

    @property
    def values(self) -> list[float]:
        """Of the objective, for each seed that did not fail."""
        return [run.value for run in self.runs if run.value is not None]

    @property
    def mean(self) -> float | None:
        """Of the objective over the fresh seeds; None if one of them failed."""
        return None if self.failure else round_float(fmean(self.values))

    def metrics(self) -> dict[str, float]:
        """Mean of each metric over the fresh seeds; empty if one of them failed."""
        if self.failure:
            return {}
        return {name: fmean(run.metrics[name] for run in self.runs) for name in self.trial.metrics}

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "failure": self.failure,
            "mean": self.mean,
            "number": self.trial.number,
            "std": None if self.failure else stdev(self.values),
            "value": self.trial.value,
            "values": [run.value for run in self.runs],
        }


@dataclass(frozen=True)
class Confirmed:
    """The best few trials, and the one that fresh seeds choose.

    Attributes:
        trials: at least one; those of the highest values in the search, best first.
        seeds: fresh seeds for each.
        top: trials that were asked for.
        search_spread: standard deviation of the values of all complete trials; None for one.
    """

    trials: Sequence[ConfirmedTrial]
    seeds: int
    top: int
    search_spread: float | None

    @property
    def chosen(self) -> ConfirmedTrial:
        """The highest mean over the fresh seeds, whatever its value in the search was.

        Of equal means it is the trial that was better in the search. A trial that failed with a
        fresh seed is chosen only if all have.
        """
        sound = [confirmed for confirmed in self.trials if confirmed.mean is not None]
        return max(sound, key=lambda confirmed: confirmed.mean or 0.0, default=self.trials[0])

    @property
    def seed_spread(self) -> float | None:
        """Standard deviation of the value from seed to seed, pooled over the trials."""
        variances = [variance(trial.values) for trial in self.trials if not trial.failure]
        return fmean(variances) ** 0.5 if variances else None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "chosen": self.chosen.trial.number,
            "seeds": self.seeds,
            "spread": {"seeds": self.seed_spread, "trials": self.search_spread},
            "top": self.top,
            "trials": [confirmed.to_json() for confirmed in self.trials],
        }
