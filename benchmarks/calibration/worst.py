"""Looks for a distribution that breaks the rule: differences with a mean of 0, often claimed."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from benchmarks.calibration.tables import Tables, percent, table
from twotower.assessment.comparison import ALPHA
from twotower.common.arrays import Float64Array, Int64Array
from twotower.common.progress import track

SIZES = (5, 10, 15, 30, 60)
TRIES = 250
"""Distributions looked at for each number of users."""
GRID = np.linspace(-18, 18, 1_801)
"""Logarithms of the arguments of characteristic functions; p-values are right to six digits."""
SHARES = 101
"""Mixtures of the two that are the ends of all distributions on three points with mean 0."""


@dataclass(frozen=True)
class Distribution:
    """Three differences, and how likely each is.

    Attributes:
        rate: of false claims among samples of it.
        values: [3] the differences.
        shares: [3] their probabilities.
    """

    rate: float
    values: Float64Array
    shares: Float64Array

    def text(self) -> str:
        """`-1.000: 45.4 %, 0.831: 54.6 %`, without values that are never drawn."""
        pairs = zip(self.values, self.shares, strict=True)
        return ", ".join(f"{value:.3f}: {percent(share)}" for value, share in pairs if share)


def samples(count: int) -> Int64Array:
    """[m, 3] all ways in which that many users can fall on three values."""
    first, second = np.indices((count + 1, count + 1)).reshape(2, -1)
    possible = first + second <= count
    first, second = first[possible], second[possible]
    return np.stack([first, second, count - first - second], axis=1)


class Rule:
    """The rule for samples of one size, exactly: without the noise of resamples.

    Attributes:
        samples: [m, 3] see `samples`.
    """

    def __init__(self, count: int) -> None:
        """List the samples, and in how many orders users can make each."""
        self.samples = samples(count)
        self._orders = stats.multinomial(count, [1 / 3] * 3).logpmf(self.samples)
        self._orders += count * np.log(3)

    def p_values(self, values: Float64Array) -> Float64Array:
        """[m] of each sample: the probability that the weighted mean is at most 0.

        The weights are exponentials divided by their sum, so that this is the probability that
        their linear combination is at most 0; it follows from its characteristic function.

        Source: Gil-Pelaez, Biometrika 1951; over the logarithm of the argument.
        """
        terms = np.append(values, -1.0)[:, None] * np.exp(GRID)
        counts = np.column_stack([self.samples, np.ones(len(self.samples))])  # the imagined user
        size = np.exp(counts @ (-0.5 * np.log1p(terms**2)))
        integral = (size * np.sin(counts @ np.arctan(terms))).sum(axis=1) * (GRID[1] - GRID[0])
        p_values: Float64Array = 0.5 - integral / np.pi
        return p_values

    def worst(self, values: Float64Array) -> Distribution:
        """Of the probabilities with a mean of 0 those with which these values err most often."""
        shares = mean_zero(values)
        claimed = self.p_values(values) <= ALPHA
        logs = np.log(np.maximum(shares, 1e-300))
        drawn, orders = self.samples[claimed], self._orders[claimed]
        rates = np.exp(orders[:, None] + drawn @ logs.T).sum(axis=0)
        best = int(np.argmax(rates))
        return Distribution(float(rates[best]), values, shares[best])


def mean_zero(values: Float64Array) -> Float64Array:
    """[SHARES, 3] probabilities of values of which the first is below and the last above 0."""
    low, middle, high = values
    ends = [np.array([high, 0.0, -low]) / (high - low)]
    if middle > 0:
        ends.append(np.array([middle, -low, 0.0]) / (middle - low))
    else:
        ends.append(np.array([0.0, high, -middle]) / (high - middle))
    mix = np.linspace(0, 1, SHARES)[:, None]
    shares: Float64Array = (1 - mix) * ends[0] + mix * ends[1]
    return shares


def three_values(rng: np.random.Generator) -> Float64Array:
    """One below 0, one above, one anywhere between; small ones as likely as large ones."""
    low, high = -(10 ** rng.uniform(-3, 0)), 10 ** rng.uniform(-3, 0)
    if rng.random() < 0.5:
        low = -1.0
    return np.array([low, rng.choice([low, high]) * 10 ** rng.uniform(-3, 0), high])


def nearby(values: Float64Array, rng: np.random.Generator) -> Float64Array:
    """Values that are a little different, and in the same order."""
    low, middle, high = values * np.exp(rng.normal(0, 0.2, 3))
    return np.array([max(low, -1.0), np.clip(middle, low, high), min(high, 1.0)])


def hunt(count: int, tries: int, seed: int) -> Distribution:
    """The worst of so many random distributions, half of them near the worst before."""
    rng, rule = np.random.default_rng([seed, count]), Rule(count)
    worst = rule.worst(three_values(rng))
    for place in track(range(1, tries), f"distributions for {count} users"):
        values = nearby(worst.values, rng) if place >= tries // 2 else three_values(rng)
        worst = max(worst, rule.worst(values), key=lambda one: one.rate)
    return worst


def report(_seeds: int) -> Tables:
    """The worst distribution found for each number of users; its rate is exact, without seeds."""
    found = {count: hunt(count, TRIES, seed=0) for count in SIZES}
    rows = [[str(count), percent(one.rate), one.text()] for count, one in found.items()]
    sound = all(one.rate <= ALPHA + 1e-6 for one in found.values())
    return Tables(
        {"worst": table(["users", "false claims", "differences, and how likely"], rows)}, sound
    )
