"""An A/B test of equal models, looked at daily, and stopped when it shows a difference."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.calibration.tables import Tables, most_claims, percent, table
from twotower.ab.inference import ALPHA, UNEVEN, Arm, Looks, lift, uneven
from twotower.common.arrays import Float64Array
from twotower.common.progress import track

DAYS = 30
SIZES = (1_000, 10_000, 100_000)
"""Users of both arms, as many of them on each day."""
ONE, MANY = Looks(None), Looks(10_000)
BETTER = 1.2
"""What the treatment multiplies the outcome by where there is something to find."""


@dataclass(frozen=True)
class World:
    """What users do.

    Attributes:
        name: in the table.
        draw: [n] outcomes, with their mean multiplied.
    """

    name: str
    draw: Callable[[np.random.Generator, int, float], Float64Array]


def _buyers(rate: float, rng: np.random.Generator, count: int, by: float) -> Float64Array:
    return (rng.random(count) < rate * by).astype(np.float64)


def _events(rng: np.random.Generator, count: int, by: float) -> Float64Array:
    """Negative binomial: most users have none, a few have many."""
    return rng.poisson(rng.gamma(0.2, 1.5 * by, count)).astype(np.float64)


def _value(rng: np.random.Generator, count: int, by: float) -> Float64Array:
    """5 % buy, for amounts with heavy tails: the top hundredth of them is a tenth of the sum."""
    return _buyers(0.05, rng, count, by) * rng.lognormal(3.0, 1.0, count)


WORLDS = (
    World("2 % buy", partial(_buyers, 0.02)),
    World("20 % buy", partial(_buyers, 0.2)),
    World("events, 0.3 a user", _events),
    World("value, heavy tails", _value),
)


def claims(world: World, size: int, by: float, seed: int) -> tuple[bool, bool, bool]:
    """Whether a difference is claimed: at any look by each rule, and at the last by that of one."""
    rng = np.random.default_rng([seed, size])
    treated = rng.random(size) < 0.5
    values = np.where(treated, world.draw(rng, size, by), world.draw(rng, size, 1.0))
    many = one = last = False
    for day in range(1, DAYS + 1):
        seen = slice(size * day // DAYS)
        arms = [Arm.of(values[seen][treated[seen] == side]) for side in (False, True)]
        found, last = (_claimed(arms, looks) for looks in (MANY, ONE))
        many, one = many or found, one or last
    return many, one, last


def _claimed(arms: Sequence[Arm], looks: Looks) -> bool:
    found = lift(arms[0], arms[1], looks)
    return found is not None and found.p_value <= ALPHA


def flagged(size: int, seed: int) -> bool:
    """Whether arms that are as they should be are called uneven at any look."""
    treated = np.random.default_rng([seed, size, 1]).random(size) < 0.5
    looks = [size * day // DAYS for day in range(1, DAYS + 1)]
    return any(uneven(int(treated[:seen].sum()), seen, 0.5) < UNEVEN for seen in looks)


def rates(world: World, size: int, by: float, seeds: Sequence[int]) -> Float64Array:
    """[3] shares of `claims`."""
    found = [claims(world, size, by, seed) for seed in track(seeds, f"{world.name}, {size:,}")]
    shares: Float64Array = np.array(found).mean(axis=0)
    return shares


def report(seeds: int) -> Tables:
    """False claims of each rule, and true ones."""
    chance = range(seeds)
    texts, sound = {}, True
    for name, by in (("peeking", 1.0), ("peeking power", BETTER)):
        rows = []
        for world in WORLDS:
            of_sizes = [rates(world, size, by, chance) for size in SIZES]
            rows.append([world.name, *(_cell(found) for found in of_sizes)])
            allowed = max(found[0] for found in of_sizes) <= most_claims(seeds)
            sound = sound and (by != 1.0 or bool(allowed))
        texts[name] = table(["users", *(f"{size:,} users" for size in SIZES)], rows, seeds)
    shares = [np.mean([flagged(size, seed) for seed in chance]) for size in SIZES]
    rows = [["flagged", *(percent(float(share)) for share in shares)]]
    texts["sample ratio"] = table(["arms", *(f"{size:,} users" for size in SIZES)], rows, seeds)
    return Tables(texts, sound)


def _cell(found: Float64Array) -> str:
    many, one, last = (f"{100 * share:.1f}" for share in found)
    return f"{many} / {last} ({one})"
