"""Claims and intervals in worlds of which the truth is known, by the rule and by its forerunner."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.calibration import former
from benchmarks.calibration.tables import Tables, least_covered, most_claims, table
from benchmarks.calibration.worlds import EQUAL, LIFTED, World
from twotower.assessment.comparison import ALPHA
from twotower.assessment.intervals import LEVEL
from twotower.assessment.statistics.bounded_means import weighted_means
from twotower.common.arrays import BoolArray, Float64Array
from twotower.common.progress import track

SIZES = (15, 30, 60, 200, 5_000)
"""Test users."""
COPIES = 4
"""Near copies of the baseline, for "beats every baseline"."""
RESAMPLES = 1_000
"""Of each interval and test: a tenth of what the pipeline takes, for the sake of time."""


@dataclass
class Found:
    """What was found in each world, a row per seed.

    Attributes:
        beaten: [seeds, worlds, 1 + COPIES] whether the rule calls the baselines beaten.
        formerly: likewise, by its forerunner.
        covered: [seeds, worlds] whether the interval of the model's mean holds it.
        width: [seeds, worlds] of that interval.
        lift_covered: likewise, of the difference from the first baseline.
        lift_width: likewise.
        formerly_covered: likewise, by the percentile bootstrap.
    """

    beaten: list[BoolArray] = field(default_factory=list)
    formerly: list[BoolArray] = field(default_factory=list)
    covered: list[BoolArray] = field(default_factory=list)
    width: list[Float64Array] = field(default_factory=list)
    lift_covered: list[BoolArray] = field(default_factory=list)
    lift_width: list[Float64Array] = field(default_factory=list)
    formerly_covered: list[BoolArray] = field(default_factory=list)

    def add(self, worlds: Sequence[World], count: int, seed: int) -> None:
        """Draw one sample of users in each world, and judge it."""
        # Not the stream that the resamples of this seed are drawn from.
        rng = np.random.default_rng([seed, count])
        drawn = [world.users(rng, count, COPIES) for world in worlds]
        differences = np.hstack([model[:, None] - baselines for model, baselines in drawn])
        columns = np.hstack([np.stack([model for model, _ in drawn], axis=1), differences])
        lowest = np.repeat([0.0, -1.0], [len(worlds), differences.shape[1]])
        means = weighted_means(columns, seed=seed, resamples=RESAMPLES, limits=(lowest, 1.0))
        low, high = means.bounds(LEVEL)
        beaten = means.p_values("greater") <= ALPHA

        truth, lift = np.array([(world.mean, world.lift) for world in worlds]).T
        own, first = slice(len(worlds)), slice(len(worlds), None, 1 + COPIES)
        self.beaten.append(beaten[len(worlds) :].reshape(len(worlds), 1 + COPIES))
        self.covered.append(_holds(low[own], truth, high[own]))
        self.width.append((high - low)[own])
        self.lift_covered.append(_holds(low[first], lift, high[first]))
        self.lift_width.append((high - low)[first])
        self._judge_formerly(differences, lift, seed)

    def _judge_formerly(self, differences: Float64Array, lift: Float64Array, seed: int) -> None:
        """The same by the rule's forerunner."""
        resampled = former.resampled(differences, seed, RESAMPLES)
        flipped = former.flipped(differences, seed, RESAMPLES)
        beaten = former.beats(flipped, resampled, ALPHA)
        self.formerly.append(beaten.reshape(len(lift), 1 + COPIES))
        tails = [(1 - LEVEL) / 2, (1 + LEVEL) / 2]
        low, high = np.quantile(resampled[:, :: 1 + COPIES], tails, axis=0)
        self.formerly_covered.append(_holds(low, lift, high))


def _holds(low: Float64Array, truth: Float64Array, high: Float64Array) -> BoolArray:
    """Whether intervals hold the truth, but for the last bits of their ends."""
    return (low <= truth + 1e-12) & (truth <= high + 1e-12)


def find(worlds: Sequence[World], sizes: Sequence[int], seeds: Sequence[int]) -> dict[int, Found]:
    """Samples of each size, one for each seed."""
    found = {}
    for count in sizes:
        found[count] = Found()
        for seed in track(seeds, f"samples of {count} users"):
            found[count].add(worlds, count, seed)
    return found


def report(seeds: int) -> Tables:
    """False claims, power, and intervals, at each number of users."""
    worlds = (*EQUAL, *LIFTED)
    found = find(worlds, SIZES, range(seeds))
    head = [f"{count:,} users" for count in SIZES]
    claims: list[list[str]] = []
    power: list[list[str]] = []
    intervals: list[list[str]] = []
    for place, world in enumerate(worlds):
        one = [_rates(f, place, every=False) for f in found.values()]
        if world.lift:
            power.append([world.name, *one])
        else:
            every = [_rates(f, place, every=True) for f in found.values()]
            claims.append([world.name, "a baseline", *one])
            claims.append(["", "all five", *every])
        intervals.append([world.name, "mean", *(_interval(f, place) for f in found.values())])
        intervals.append(["", "difference", *(_difference(f, place) for f in found.values())])
    sound = all(_sound(f, worlds) for f in found.values())
    texts = {
        "claims": table(["users", "beats", *head], claims, seeds),
        "power": table(["lift", *head], power, seeds),
        "intervals": table(["users", "of the", *head], intervals, seeds),
    }
    return Tables(texts, sound)


def _rates(found: Found, place: int, *, every: bool) -> str:
    """`0.3 (63.1)`: claims in %, by the rule and by its forerunner."""
    rates = []
    for claims in (found.beaten, found.formerly):
        beaten = np.array(claims)[:, place]
        rates.append(100 * (beaten.all(axis=1) if every else beaten[:, 0]).mean())
    return f"{rates[0]:.1f} ({rates[1]:.1f})"


def _interval(found: Found, place: int) -> str:
    """`96.0, 0.12`: how many hold the mean, in %, and how wide they are."""
    covered = 100 * np.array(found.covered)[:, place].mean()
    return f"{covered:.1f}, {np.array(found.width)[:, place].mean():#.2g}"


def _difference(found: Found, place: int) -> str:
    """`96.0 (91.2), 0.12`: likewise, in brackets by the forerunner."""
    held, formerly = (
        100 * np.array(covered)[:, place].mean()
        for covered in (found.lift_covered, found.formerly_covered)
    )
    return f"{held:.1f} ({formerly:.1f}), {np.array(found.lift_width)[:, place].mean():#.2g}"


def _sound(found: Found, worlds: Sequence[World]) -> bool:
    """Whether false claims and missed truths are as few as the level allows."""
    seeds = len(found.beaten)
    equal = np.array([not world.lift for world in worlds])
    claims = np.array(found.beaten).mean(axis=0)[equal]
    held = np.array([found.covered, found.lift_covered]).mean(axis=1)
    return bool(claims.max() <= most_claims(seeds) and held.min() >= least_covered(seeds))
