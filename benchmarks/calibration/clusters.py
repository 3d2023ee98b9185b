"""False claims where users come in households, with and without `evaluate.cluster`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.calibration.tables import Tables, most_claims, percent, table
from benchmarks.calibration.worlds import hits
from twotower.assessment.comparison import ALPHA
from twotower.assessment.statistics.bounded_means import p_values
from twotower.common.arrays import BoolArray, Float64Array, Int64Array
from twotower.common.progress import track

SIZES = (60, 200, 1_000)
"""Test users, or about as many where clusters differ in size."""
RESAMPLES = 1_000


@dataclass(frozen=True)
class Households:
    """Users of whom those of a household are as one: each has the same difference.

    Attributes:
        name: in the table.
        size: mean number of users of a household.
        draw: sizes of households and differences, of a mean of 0 over users.
        unseen: whether samples often lack the largest households: then no level is kept.
    """

    name: str
    size: float
    draw: Callable[[np.random.Generator, int], tuple[Int64Array, Float64Array]]
    unseen: bool = False

    def users(self, rng: np.random.Generator, count: int) -> tuple[Float64Array, Int64Array]:
        """Differences of about `count` users, and the household of each."""
        sizes, differences = self.draw(rng, round(count / self.size))
        return np.repeat(differences, sizes), np.repeat(np.arange(len(sizes)), sizes)


def _alike(smallest: int, largest: int) -> Households:
    """The size has nothing to do with the difference."""

    def draw(rng: np.random.Generator, count: int) -> tuple[Int64Array, Float64Array]:
        model, baseline = hits(rng, count, model=0.1, baseline=0.1, items=4)
        return rng.integers(smallest, largest, count, endpoint=True), model - baseline

    name = f"{smallest}" if smallest == largest else f"{smallest} to {largest}"
    return Households(name, (smallest + largest) / 2, draw)


def _large_lose(name: str, share: float, large: int, lost: float, *, unseen: bool) -> Households:
    """The model gains a little on single users; to large households it loses, on average `lost`."""
    gain = share * large * lost / (1 - share)

    def draw(rng: np.random.Generator, count: int) -> tuple[Int64Array, Float64Array]:
        is_large = rng.random(count) < share
        loss = (rng.random(count) < 2 * lost) * 0.5
        gained = rng.binomial(20, gain, count) / 20
        return np.where(is_large, large, 1), np.where(is_large, -loss, gained)

    return Households(name, 1 + share * (large - 1), draw, unseen)


HOUSEHOLDS = (
    *(_alike(size, size) for size in (1, 2, 5)),
    _alike(1, 9),
    _large_lose("1, and a tenth 5, who lose", 0.1, 5, 0.1, unseen=False),
    _large_lose("1, and a hundredth 9, who lose", 0.01, 9, 0.5, unseen=True),
)


def claims(households: Households, count: int, seeds: Sequence[int]) -> tuple[BoolArray, BoolArray]:
    """[seeds] whether the baseline is called beaten, with users and with households resampled."""
    found = []
    for seed in track(seeds, f"households of {households.name}"):
        differences, codes = households.users(np.random.default_rng([seed, count]), count)
        found.append(
            [
                p_values(differences[:, None], seed=seed, resamples=RESAMPLES, clusters=c)[0]
                <= ALPHA
                for c in (None, codes)
            ]
        )
    alone, together = np.array(found).T
    return alone, together


def report(seeds: int) -> Tables:
    """False claims for each kind of household."""
    rows, sound = [], True
    for households in HOUSEHOLDS:
        row = [households.name]
        for count in SIZES:
            alone, together = claims(households, count, range(seeds))
            row += [percent(alone.mean()), percent(together.mean())]
            sound = sound and (households.unseen or together.mean() <= most_claims(seeds))
        rows.append(row)
    head = ["users in a household"]
    for count in SIZES:
        head += [f"{count:,} users", "with `evaluate.cluster`"]
    return Tables({"clusters": table(head, rows, seeds)}, bool(sound))
