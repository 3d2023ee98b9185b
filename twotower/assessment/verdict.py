"""What may be concluded about a model from the metric of each user under it and each baseline.

A baseline is beaten if the model's mean is above its mean by both of two one-sided tests at
level ALPHA: a paired randomisation test, and a bootstrap over users whose lower bound is above 0.
The first rejects too often where nearly all users score highly, the second where few users score
at all; together they keep to the level in both cases. Random is an expectation: where too few users
score below it to estimate how often that happens, a p-value that is valid for any values in [0, 1]
replaces that of the first test if it is larger. If the model was trained with several seeds, each
user's mean over them has to pass both tests as well, so that a lucky seed beats nothing.

The verdict is the first of these that holds:

1. `beats every baseline`: each of them is beaten. As every test has to reject, the claim is wrong
   with probability ALPHA at most, without a correction (intersection-union).
2. `signal, but NAME is as good or better`: random and popularity are beaten. NAME is the
   baseline with the highest mean among those that are not.
3. `no better than random`: random is not beaten, and the data suffice to say so: there are enough
   users to detect a lift of half of random's mean with power POWER, or the upper bound of the
   difference is below that lift. If the mean is above 0.5, the lift is half of its distance to 1,
   as there is no room for more.
4. `no better than popularity`: random is beaten, popularity is not, and the data suffice to say so,
   with a lift of a tenth.
5. `too little data to tell`: the data do not suffice for 3 or 4; with the number of users that
   would.

Sources: Berger, Technometrics 1982 (intersection-union); those of the tests are named in
`twotower.assessment.statistics`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from twotower.assessment.statistics.bootstrap import bootstrap_intervals
from twotower.assessment.statistics.bounded import bounded_p_value
from twotower.assessment.statistics.paired_tests import paired_tests
from twotower.assessment.statistics.power import users_needed
from twotower.common.arrays import Float64Array
from twotower.common.scorers import MODEL, RANDOM
from twotower.common.seeds import derive_seed

ALPHA = 0.05
POWER = 0.8
RESAMPLES = 10_000
LIFTS = {RANDOM: 0.5, "popularity": 0.1}
"""What a model must beat to have signal, and the smallest lift over it that matters, as a share of
its mean or of the distance of the mean to 1, whichever is less."""
MIN_SEEN = 10
"""Users with a metric above 0, or below random's, that it takes to estimate how common they are."""

BEATS = "beats every baseline"
SIGNAL = "signal, but {baseline} is as good or better"
NO_BETTER = "no better than {baseline}"
TOO_LITTLE = "too little data to tell"


@dataclass(frozen=True)
class Comparison:
    """The model against one baseline.

    Attributes:
        difference: of the means, model - baseline.
        lower_bound: of the true difference, at confidence 1 - ALPHA, one-sided; NaN for one user.
        upper_bound: likewise.
        p_value: of the test that the true difference is at most 0.
        beaten: whether test and bound both say that it is above 0, for the model and for its mean
            over seeds.
        over_seeds: the same comparison for the mean over training seeds; None with a single seed.
    """

    difference: float
    lower_bound: float
    upper_bound: float
    p_value: float
    beaten: bool
    over_seeds: "Comparison | None" = None


@dataclass(frozen=True)
class Verdict:
    """What may be concluded.

    Attributes:
        text: one of the five verdicts, with the name of the baseline.
        baseline: the one that keeps the model from a better verdict; None if all are beaten.
        users_needed: number of users that would suffice to detect the smallest lift over `baseline`
            that matters; None if there are enough, or if no number suffices.
        num_users: number of users in the data.
        comparisons: by name of the baseline.
    """

    text: str
    baseline: str | None
    users_needed: int | None
    num_users: int
    comparisons: dict[str, Comparison]

    @property
    def sentence(self) -> str:
        """The text, with the number of users that would be needed."""
        if self.text != TOO_LITTLE:
            return self.text
        if self.users_needed is None:
            return f"{self.text} (no held-out item can be recommended)"
        return f"{self.text} (about {self.users_needed:,} users would be needed)"


def verdict(
    per_user: Mapping[str, Float64Array],
    *,
    seed: int,
    over_seeds: Float64Array | None = None,
    alpha: float = ALPHA,
    resamples: int = RESAMPLES,
) -> Verdict:
    """Compare a model with its baselines; the result is the same on every machine.

    Args:
        per_user: by scorer, [n] the metric of each user, in [0, 1] and in the same order: the
            model under MODEL, `random` (each user's expectation), `popularity`, and any others.
        seed: of the resamples.
        over_seeds: [n] each user's metric under the model, averaged over training seeds; None with
            a single seed.
        alpha: level of every test.
        resamples: of every test.

    Raises:
        ValueError: if one of the three is missing, or there is no user.
    """
    if missing := {MODEL, *LIFTS} - per_user.keys():
        msg = f"a verdict needs {MODEL}, {', '.join(LIFTS)}; missing: {', '.join(missing)}"
        raise ValueError(msg)
    model = np.asarray(per_user[MODEL], dtype=np.float64)
    baselines = {name: per_user[name] for name in sorted(per_user) if name != MODEL}
    shipped = comparisons = _compare(model, baselines, seed, alpha, resamples)
    if over_seeds is not None:
        means = _compare(over_seeds, baselines, seed, alpha, resamples)
        comparisons = {
            name: replace(one, beaten=one.beaten and means[name].beaten, over_seeds=means[name])
            for name, one in shipped.items()
        }
    unbeaten = [name for name, comparison in comparisons.items() if not comparison.beaten]
    if not unbeaten:
        return Verdict(BEATS, None, None, len(model), comparisons)
    floor = next((name for name in LIFTS if name in unbeaten), None)
    if floor is None:
        best = max(unbeaten, key=lambda name: float(np.mean(baselines[name])))
        return Verdict(SIGNAL.format(baseline=best), best, None, len(model), comparisons)
    decisive = shipped[floor]
    if over_seeds is not None and decisive.beaten:  # only the mean over seeds does not beat it
        model, decisive = over_seeds, means[floor]
    text, needed = _without_signal(model, baselines, floor, decisive.upper_bound, alpha)
    return Verdict(text, floor, needed, len(model), comparisons)


def _without_signal(
    model: Float64Array,
    baselines: Mapping[str, Float64Array],
    floor: str,
    upper_bound: float,
    alpha: float,
) -> tuple[str, int | None]:
    """Whether the data suffice to say that `floor` is not beaten; if not, how many users would."""
    mean = max(float(np.mean(baselines[name])) for name in (RANDOM, floor))
    lift = LIFTS[floor] * max(0.0, min(mean, 1 - mean))
    differences = model - baselines[floor]
    if not _has_hits(model) or (floor == RANDOM and not _falls_short(model, baselines[floor])):
        differences = _widest(mean + lift, len(model))
    needed = _needed(differences, lift, alpha)
    excluded = upper_bound < lift and _has_hits(model)
    perfect = mean > 1 - 1e-9  # any order of the items gets it
    if perfect or excluded or (needed is not None and needed <= len(model)):
        return NO_BETTER.format(baseline=floor), None
    return TOO_LITTLE, needed


def _compare(
    model: Float64Array,
    baselines: Mapping[str, Float64Array],
    seed: int,
    alpha: float,
    resamples: int,
) -> dict[str, Comparison]:
    differences = np.stack([model - values for values in baselines.values()], axis=1)
    flips, draws = derive_seed(seed, "verdict", "flips"), derive_seed(seed, "verdict", "draws")
    p_values = paired_tests(differences, seed=flips, resamples=resamples)
    random = list(baselines).index(RANDOM)
    if not _falls_short(model, baselines[RANDOM]):
        p_values[random] = max(p_values[random], bounded_p_value(model, baselines[RANDOM]))
    lows, highs = bootstrap_intervals(
        differences, seed=draws, level=1 - 2 * alpha, resamples=resamples
    )
    columns = zip(baselines, differences.mean(axis=0), lows, highs, p_values, strict=True)
    return {
        name: Comparison(
            difference=float(difference),
            lower_bound=float(low),
            upper_bound=float(high),
            p_value=float(p_value),
            beaten=bool(p_value <= alpha and low > 0),
        )
        for name, difference, low, high, p_value in columns
    }


def _needed(differences: Float64Array, lift: float, alpha: float) -> int | None:
    """Users that it takes to detect the lift, with differences as spread as these."""
    if lift == 0:
        return None
    return users_needed(differences - differences.mean() + lift, alpha=alpha, power=POWER)


def _widest(mean: float, count: int) -> Float64Array:
    """[2 · count] with the largest spread that values in [0, 1] with this mean can have."""
    spread = math.sqrt(max(0.0, mean * (1 - mean)))
    return spread * np.tile([-1.0, 1.0], count)


def _has_hits(model: Float64Array) -> bool:
    """Whether enough users score above 0 to estimate how common that is."""
    return int(np.count_nonzero(model)) >= MIN_SEEN


def _falls_short(model: Float64Array, random: Float64Array) -> bool:
    """Whether enough users score below random's expectation to estimate how common that is.

    Differences from an expectation are as skewed as the metric; those of two scorers are not.
    """
    return int(np.count_nonzero(model < random)) >= MIN_SEEN
