"""What may be said of a model, given the metric of each user under it and under each reference.

A reference is beaten if the model's mean is above its mean by both of two one-sided tests at
level ALPHA: a paired randomisation test, and a bootstrap over users whose lower bound is above 0.
The first claims too much where nearly all users score highly, the second where few users score at
all; together they claim too much in neither case. Random is an expectation: where too few users
fall short of it to know how often that happens, a bound that holds for any values in [0, 1] takes
the place of the first test if it is larger. Where the model was trained with several seeds, each
user's mean over them has to pass the tests as well: a model that is good by the luck of its seed
beats nothing.

The first of these that holds:

1. `beats every reference`: each of them is beaten. Every single test has to reject, so that the
   claim errs with probability ALPHA at most, without a correction (intersection-union).
2. `signal, but NAME is as good or better`: random and popularity are beaten. NAME is the
   reference with the highest mean among those that are not.
3. `no better than random`: random is not beaten, and it can be told: there are enough users to
   find a lift of half of random's mean with probability POWER if there were one, or the upper
   bound of the difference is below that lift. Above a mean of 0.5 the lift is half of what is
   missing to 1, as there is no room for more.
4. `no better than popularity`: random is beaten, popularity is not, and the same holds for it with
   a lift of a tenth.
5. `too little data to tell`: of the first of the two that is not beaten it cannot be told; with the
   number of users that would be enough.

Sources: Berger, Technometrics 1982 (intersection-union); those of the tests are named in
`twotower.assessment.statistics`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from twotower.assessment.statistics.bootstrap import bootstrap_intervals
from twotower.assessment.statistics.bounded import bounded_p_value
from twotower.assessment.statistics.paired import paired_tests
from twotower.assessment.statistics.power import users_needed
from twotower.common.arrays import Float64Array
from twotower.common.seeds import derive_seed

ALPHA = 0.05
POWER = 0.8
RESAMPLES = 10_000
MODEL = "optimized"
LIFTS = {"random": 0.5, "popularity": 0.1}
"""What a model must beat to have signal, and which lift over it would be worth finding: a share
of its mean, or of what that lacks to 1 where this is less."""
MIN_SEEN = 10
"""Users with a metric above 0, or with one below random's, that it takes to know how many are."""

BEATS = "beats every reference"
SIGNAL = "signal, but {reference} is as good or better"
NO_BETTER = "no better than {reference}"
TOO_LITTLE = "too little data to tell"


@dataclass(frozen=True)
class Comparison:
    """The model against one reference.

    Attributes:
        difference: of the means, model - reference.
        lower_bound: of the true difference, at confidence 1 - ALPHA, one-sided; NaN for one user.
        upper_bound: likewise.
        p_value: of the test that the true difference is at most 0.
        beaten: whether both say that it is above 0, of the model and of its mean over seeds.
        over_seeds: the same of each user's mean over the training seeds; None with one seed.
    """

    difference: float
    lower_bound: float
    upper_bound: float
    p_value: float
    beaten: bool
    over_seeds: "Comparison | None" = None


@dataclass(frozen=True)
class Verdict:
    """What may be said.

    Attributes:
        text: one of the five, with the reference's name in it.
        reference: the one that stands in the way of more; None if every one is beaten.
        users_needed: to find a lift over `reference` that is worth finding; None unless there
            are too few, or if no number would do.
        num_users: that there are.
        comparisons: by the name of the reference.
    """

    text: str
    reference: str | None
    users_needed: int | None
    num_users: int
    comparisons: dict[str, Comparison]

    @property
    def sentence(self) -> str:
        """The text, with the number of users that are needed."""
        if self.text != TOO_LITTLE:
            return self.text
        if self.users_needed is None:
            return f"{self.text} (nothing that is held out can be found)"
        return f"{self.text} (about {self.users_needed:,} users would be needed)"


def verdict(
    per_user: Mapping[str, Float64Array],
    *,
    seed: int,
    over_seeds: Float64Array | None = None,
    alpha: float = ALPHA,
    resamples: int = RESAMPLES,
) -> Verdict:
    """Judge a model; the same arguments give the same verdict on every machine.

    Args:
        per_user: by scorer, [n] the metric of each user, in [0, 1] and in the same order: the
            model under MODEL, `random` (each user's expectation), `popularity`, and any others.
        seed: of the resamples.
        over_seeds: [n] the model's metric of each user, its mean over training seeds; None if
            there is one seed only.
        alpha: level of every test.
        resamples: of every test.

    Raises:
        ValueError: if one of the three is missing, or there is no user.
    """
    if missing := {MODEL, *LIFTS} - per_user.keys():
        msg = f"a verdict needs {MODEL}, random and popularity; missing: {', '.join(missing)}"
        raise ValueError(msg)
    model = np.asarray(per_user[MODEL], dtype=np.float64)
    references = {name: per_user[name] for name in sorted(per_user) if name != MODEL}
    shipped = comparisons = _compare(model, references, seed, alpha, resamples)
    if over_seeds is not None:
        means = _compare(over_seeds, references, seed, alpha, resamples)
        comparisons = {
            name: replace(one, beaten=one.beaten and means[name].beaten, over_seeds=means[name])
            for name, one in shipped.items()
        }
    standing = [name for name, comparison in comparisons.items() if not comparison.beaten]
    if not standing:
        return Verdict(BEATS, None, None, len(model), comparisons)
    floor = next((name for name in LIFTS if name in standing), None)
    if floor is None:
        best = max(standing, key=lambda name: float(np.mean(references[name])))
        return Verdict(SIGNAL.format(reference=best), best, None, len(model), comparisons)
    judged = shipped[floor]
    if over_seeds is not None and judged.beaten:  # it is the mean over seeds that does not beat it
        model, judged = over_seeds, means[floor]
    mean = max(float(np.mean(per_user[name])) for name in ("random", floor))
    lift = LIFTS[floor] * max(0.0, min(mean, 1 - mean))
    differences = model - per_user[floor]
    if not _has_hits(model) or (floor == "random" and not _falls_short(model, per_user[floor])):
        differences = _widest(mean + lift, len(model))
    needed = _needed(differences, lift, alpha)
    excluded = judged.upper_bound < lift and _has_hits(model)
    perfect = mean > 1 - 1e-9  # whatever the order, everything is found
    if perfect or excluded or (needed is not None and needed <= len(model)):
        return Verdict(NO_BETTER.format(reference=floor), floor, None, len(model), comparisons)
    return Verdict(TOO_LITTLE, floor, needed, len(model), comparisons)


def _compare(
    model: Float64Array,
    references: Mapping[str, Float64Array],
    seed: int,
    alpha: float,
    resamples: int,
) -> dict[str, Comparison]:
    differences = np.stack([model - values for values in references.values()], axis=1)
    flips, draws = derive_seed(seed, "verdict", "flips"), derive_seed(seed, "verdict", "draws")
    p_values = paired_tests(differences, seed=flips, resamples=resamples)
    place = list(references).index("random")
    if not _falls_short(model, references["random"]):
        p_values[place] = max(p_values[place], bounded_p_value(model, references["random"]))
    lows, highs = bootstrap_intervals(
        differences, seed=draws, level=1 - 2 * alpha, resamples=resamples
    )
    found = zip(references, differences.mean(axis=0), lows, highs, p_values, strict=True)
    return {
        name: Comparison(
            difference=float(difference),
            lower_bound=float(low),
            upper_bound=float(high),
            p_value=float(p_value),
            beaten=bool(p_value <= alpha and low > 0),
        )
        for name, difference, low, high, p_value in found
    }


def _needed(differences: Float64Array, lift: float, alpha: float) -> int | None:
    """Users at which that lift would be found, with differences as spread as these."""
    if lift == 0:
        return None
    return users_needed(differences - differences.mean() + lift, alpha=alpha, power=POWER)


def _widest(mean: float, count: int) -> Float64Array:
    """[2 · count] with the largest spread that values in [0, 1] with such a mean can have."""
    spread = math.sqrt(max(0.0, mean * (1 - mean)))
    return spread * np.tile([-1.0, 1.0], count)


def _has_hits(model: Float64Array) -> bool:
    """Whether enough users score to know how often that happens."""
    return int(np.count_nonzero(model)) >= MIN_SEEN


def _falls_short(model: Float64Array, random: Float64Array) -> bool:
    """Whether enough users score less than random's expectation to know how often that happens.

    Differences from an expectation are as skewed as the metric is; those of two scorers are not.
    """
    return int(np.count_nonzero(model < random)) >= MIN_SEEN
