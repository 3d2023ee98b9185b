"""The shares of the users that a search trains on, and how many trials come to each."""

import math
from collections.abc import Sequence
from typing import Literal

from twotower.common.files import round_float

SAMPLE_ROWS = 200_000
"""Training rows of `hpo.sample: auto`, about."""
FACTOR = 4
"""By which the rows grow from rung to rung, about, and of how many trials one goes on, at most."""
LEAST = 2
"""Trials that go on at least, so that all rows still choose."""


def shares_of(sample: Literal["auto"] | float | None, num_rows: int) -> tuple[float, ...]:
    """Share of the users in each rung, ascending; the last one is 1.

    Args:
        sample: `hpo.sample`.
        num_rows: of the training split.
    """
    if sample == "auto":
        sample = min(1.0, SAMPLE_ROWS / max(num_rows, 1))
    first = round_float(1.0 if sample is None else sample)
    if first == 1:
        return (1.0,)
    steps = max(1, round(math.log(1 / first, FACTOR)))
    later = (round_float(first ** (1 - number / steps)) for number in range(1, steps))
    return (first, *later, 1.0)


def num_going_on(num_trials: int, shares: Sequence[float]) -> list[int]:
    """Trials in each rung after the first: as many as cost what the first one does.

    In the last one it is half of that, as two are mostly enough to choose from, and cost most.

    Args:
        num_trials: of the search.
        shares: of `shares_of`.
    """
    counts: list[int] = []
    for share in shares[1:]:
        alike = num_trials * shares[0] / share
        most = (counts or [num_trials // FACTOR])[-1]
        counts.append(max(LEAST, min(round(alike / 2 if share == 1 else alike), most)))
    return counts
