"""Wrong promotions in twelve weeks of candidates that are as good as the champion."""

from collections.abc import Sequence

import numpy as np

from benchmarks.calibration.tables import Tables, most_claims, percent, table
from twotower.assessment.comparison import ALPHA
from twotower.assessment.statistics.bounded_means import p_values
from twotower.common.arrays import BoolArray
from twotower.common.progress import track

WEEKS, USERS, ITEMS = 12, 200, 4
"""Test users of a week, and the items that each of them chooses in it."""
STAY = (0.0, 0.8, 1.0)
"""Share of a week's users who are there in the next week as well."""
LEVELS = (ALPHA, ALPHA / WEEKS)
TASTE = (0.5, 4.5)
"""Beta distribution, over users, of the share of the items that a model finds: 10 % on average."""
RESAMPLES = 1_000


def promotions(stay: float, level: float, seed: int) -> BoolArray:
    """[WEEKS] whether the candidate was promoted.

    A model is good for some users and bad for others, and stays so for those who stay: a champion
    that was promoted for luck with its users has it still in the next week.
    """
    # Not the stream that the resamples of this seed are drawn from.
    rng = np.random.default_rng([seed, USERS])
    champion = rng.beta(*TASTE, USERS)
    promoted = np.zeros(WEEKS, bool)
    for week in range(WEEKS):
        new = rng.random(USERS) >= stay
        champion = np.where(new, rng.beta(*TASTE, USERS), champion)
        candidate = rng.beta(*TASTE, USERS)
        better, good = (rng.binomial(ITEMS, rates) / ITEMS for rates in (candidate, champion))
        differences = (better - good)[:, None]
        p = p_values(differences, seed=seed * WEEKS + week, resamples=RESAMPLES)[0]
        promoted[week] = p <= level
        if promoted[week]:
            champion = candidate
    return promoted


def rates(stay: float, level: float, seeds: Sequence[int]) -> tuple[float, float]:
    """Share of the weeks, and of the quarters of twelve weeks, with a wrong promotion."""
    name = f"quarters in which {stay:.0%} stay"
    found = np.array([promotions(stay, level, seed) for seed in track(seeds, name)])
    return float(found.mean()), float(found.any(axis=1).mean())


def report(seeds: int) -> Tables:
    """Wrong promotions a week, and at least one in twelve, at each level."""
    rows, sound = [], True
    for stay in STAY:
        row = [f"{stay:.0%}".replace("%", " %")]
        for level in LEVELS:
            week, quarter = rates(stay, level, range(seeds))
            row += [percent(week), percent(quarter)]
            sound = sound and week <= most_claims(seeds * WEEKS, level)
        rows.append(row)
    head = ["users who stay"]
    for level in LEVELS:
        head += [f"alpha {level:.2g}: a week", f"at least one in {WEEKS}"]
    return Tables({"promotions": table(head, rows, seeds)}, sound)
