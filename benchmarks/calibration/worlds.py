"""Users of whom it is known how good a model and its baseline are: equal, or one by how much."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from twotower.common.arrays import Float64Array

Draw = Callable[[np.random.Generator, int], tuple[Float64Array, Float64Array]]
"""[n] values of the model and [n] of the baseline, for n users; all in [0, 1]."""

COPIED = 0.95
"""Share of the users for whom a near copy of a baseline is the baseline."""
FREQUENT = 20
"""Relevant items of most users, where tails are heavy; the others have one."""
RECALLED = 0.1
"""Share of those that the baseline finds."""


@dataclass(frozen=True)
class World:
    """A distribution of users.

    Attributes:
        name: in the tables.
        mean: true mean of the model.
        lift: true difference between the means of model and baseline.
        draw: draws users.
    """

    name: str
    mean: float
    lift: float
    draw: Draw

    def users(
        self, rng: np.random.Generator, count: int, copies: int = 0
    ) -> tuple[Float64Array, Float64Array]:
        """[count] the model and [count, 1 + copies] the baseline and near copies of it."""
        model, baseline = self.draw(rng, count)
        columns = [baseline]
        for _ in range(copies):
            same = rng.random(count) < COPIED
            columns.append(np.where(same, baseline, self.draw(rng, count)[1]))
        return model, np.stack(columns, axis=1)


def hits(
    rng: np.random.Generator, count: int, model: float, baseline: float, items: int = 1
) -> tuple[Float64Array, Float64Array]:
    """Each finds each of the relevant items with a probability, independently."""
    found: Float64Array = rng.binomial(items, [[model], [baseline]], (2, count)) / items
    return found[0], found[1]


def _misses(rng: np.random.Generator, count: int) -> tuple[Float64Array, Float64Array]:
    """Nearly all is found; the model misses all of 2 % of the users, the baseline half of 4 %."""
    missed, halved = rng.random(count) < 0.02, rng.random(count) < 0.04
    return np.where(missed, 0.0, 1.0), np.where(halved, 0.5, 1.0)


def _heavy(
    rng: np.random.Generator, count: int, single: float, lost: float, gain: float
) -> tuple[Float64Array, Float64Array]:
    """The model finds a little more of many items, and now and then misses the only one.

    Args:
        rng: of the draws.
        count: number of users.
        single: share of the users with one relevant item.
        lost: share of those whose item the baseline alone finds; both find that of 30 % more.
        gain: share of their items that the model finds beyond the baseline's, for the other users.
    """
    found = rng.binomial(FREQUENT, RECALLED, count)
    more = rng.binomial(FREQUENT - found, gain / (1 - RECALLED))
    one, fate = rng.random(count) < single, rng.random(count)
    baseline = np.where(one, fate < lost + 0.3, found / FREQUENT)
    return np.where(one, (fate >= lost) & (fate < lost + 0.3), (found + more) / FREQUENT), baseline


def _tails(name: str, single: float, lost: float, gain: float) -> World:
    mean = (1 - single) * (RECALLED + gain) + single * 0.3
    lift = (1 - single) * gain - single * lost
    return World(name, mean, lift, partial(_heavy, single=single, lost=lost, gain=gain))


EQUAL = (
    World("sparse hits", 0.02, 0.0, partial(hits, model=0.02, baseline=0.02)),
    World("near-certain hits", 0.98, 0.0, _misses),
    _tails("heavy tails, 8 %", 0.08, 0.3, 0.08 * 0.3 / 0.92),
    _tails("heavy tails, 25 %", 0.25, 0.12, 0.25 * 0.12 / 0.75),
)
"""Here the model is as good as the baseline."""

LIFTED = (
    World("sparse, 2 % to 6 %", 0.06, 0.04, partial(hits, model=0.06, baseline=0.02)),
    World("large, 10 % to 25 %", 0.25, 0.15, partial(hits, model=0.25, baseline=0.1, items=4)),
    _tails("heavy tails, 6 points", 0.08, 0.3, 0.084 / 0.92),
    _tails("small and steady, 3 points", 0.0, 0.0, 0.03),
)
"""Here it is better."""
