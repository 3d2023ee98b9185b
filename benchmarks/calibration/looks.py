"""False claims where the best of several models is picked by its test score."""

from collections.abc import Sequence

import numpy as np

from benchmarks.calibration.tables import Tables, most_claims, percent, table
from twotower.assessment.comparison import ALPHA
from twotower.assessment.statistics.bounded_means import p_values
from twotower.common.arrays import Float64Array
from twotower.common.progress import track

LOOKS = (1, 5, 14)
SIZES = (200, 1_000)
"""Test users."""
ITEMS, RATE = 4, 0.1
"""Relevant items of a user, and the share of them that every model and the baseline find."""
RESAMPLES = 1_000


def picked(count: int, seeds: Sequence[int]) -> Float64Array:
    """[seeds, LOOKS] p-values of the model with the best test score of so many."""
    found = []
    for seed in track(seeds, f"looks at {count} users"):
        rng = np.random.default_rng([seed, count])
        scores = rng.binomial(ITEMS, RATE, (count, 1 + max(LOOKS))) / ITEMS
        differences = scores[:, 1:] - scores[:, :1]
        p = p_values(differences, seed=seed, resamples=RESAMPLES)
        means = differences.mean(axis=0)
        found.append([p[np.argmax(means[:looks])] for looks in LOOKS])
    return np.array(found)


def report(seeds: int) -> Tables:
    """False claims at the level, and at the level shared among the looks."""
    found = {count: picked(count, range(seeds)) for count in SIZES}
    rows, sound = [], True
    for place, looks in enumerate(LOOKS):
        row = [str(looks)]
        for p in found.values():
            plain, shared = ((p[:, place] <= level).mean() for level in (ALPHA, ALPHA / looks))
            row += [percent(plain), percent(shared)]
            sound = sound and shared <= most_claims(seeds)
        rows.append(row)
    head = ["looks"]
    for count in SIZES:
        head += [f"{count:,} users, p ≤ {ALPHA:g}", f"p ≤ {ALPHA:g} / looks"]
    return Tables({"looks": table(head, rows, seeds)}, bool(sound))
