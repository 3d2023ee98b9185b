"""Numeric parameters as coordinates, for samplers that calculate with them."""

import math
from dataclasses import dataclass

from optuna.distributions import FloatDistribution, IntDistribution


@dataclass(frozen=True)
class Axis:
    """A numeric parameter as a coordinate from 0 to 1, of which each step has an equal part.

    Attributes:
        distribution: with at least two values.
        low: at coordinate 0, on a log scale if the distribution is on one.
        high: at coordinate 1.
    """

    distribution: FloatDistribution | IntDistribution
    low: float
    high: float

    @classmethod
    def of(cls, distribution: FloatDistribution | IntDistribution) -> "Axis":
        """The coordinate of a parameter."""
        margin = (distribution.step or 0) / 2
        low, high = distribution.low - margin, distribution.high + margin
        return cls(distribution, _scale(distribution, low), _scale(distribution, high))

    def point(self, value: float) -> float:
        """Coordinate of a value."""
        return (_scale(self.distribution, value) - self.low) / (self.high - self.low)

    def value(self, point: float) -> float:
        """Value at a coordinate."""
        distribution = self.distribution
        scaled = self.low + point * (self.high - self.low)
        value = math.exp(scaled) if distribution.log else scaled
        if distribution.step:
            steps = round((value - distribution.low) / distribution.step)
            value = distribution.low + steps * distribution.step
        value = min(max(value, distribution.low), distribution.high)
        return round(value) if isinstance(distribution, IntDistribution) else value


def _scale(distribution: FloatDistribution | IntDistribution, value: float) -> float:
    return math.log(value) if distribution.log else float(value)
