"""What may be concluded about a model from the metric of each user under it and each baseline.

What it is to beat one is in `twotower.assessment.comparison`.

The verdict is the first of these that holds:

1. `beats every baseline`: each of them is beaten. As every test has to reject, the claim is wrong
   with probability ALPHA at most, without a correction (intersection-union). It is `beats every
   baseline that was run` where a strong one was left out.
2. `signal, but NAME is better`: random and popularity are beaten, and NAME is above the model by
   the same test turned round, with p-values that are adjusted for the number of baselines. Of
   several, the one with the highest mean.
3. `signal, but not shown to beat NAME`: random and popularity are beaten, and no baseline is shown
   to be better. NAME is the one with the highest mean among those that are not beaten.
4. `no better than random`: random is not beaten, and the data suffice to say so: there are enough
   users to detect a lift of half of random's mean with power POWER, or the upper bound of the
   difference is below that lift. If the mean is above 0.5, the lift is half of its distance to 1,
   as there is no room for more.
5. `no better than popularity`: random is beaten, popularity is not, and the data suffice to say so,
   with a lift of a tenth.
6. `too little data to tell`: the data do not suffice for 4 or 5; with the number of users that
   would.

Source: Berger, Technometrics 1982 (intersection-union).
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial

import numpy as np

from twotower.assessment.clusters import per_cluster
from twotower.assessment.comparison import (
    ALPHA,
    RESAMPLES,
    Comparison,
    compare,
    why_not_beaten,
)
from twotower.assessment.statistics.power import users_needed
from twotower.common.arrays import Float64Array, Int64Array
from twotower.common.scorers import MODEL, RANDOM

POWER = 0.8
MIN_SEEN = 10
"""Users with a metric above 0, and below random's, that it takes to estimate its spread."""
LIFTS = {RANDOM: 0.5, "popularity": 0.1}
"""What a model must beat to have signal, and the smallest lift over it that matters, as a share of
its mean or of the distance of the mean to 1, whichever is less."""

BEATS = "beats every baseline"
BEATS_RUN = "beats every baseline that was run"
WORSE = "signal, but {baseline} is better"
NOT_SHOWN = "signal, but not shown to beat {baseline}"
NO_BETTER = "no better than {baseline}"
TOO_LITTLE = "too little data to tell"


@dataclass(frozen=True)
class Verdict:
    """What may be concluded.

    Attributes:
        text: one of the verdicts, with the name of the baseline.
        baseline: the one that keeps the model from a better verdict; None if all are beaten.
        users_needed: number of users that would suffice to detect the smallest lift over `baseline`
            that matters; None if there are enough, or if no number suffices.
        num_users: number of users in the data.
        comparisons: by name of the baseline.
        left_out: why each strong baseline that was left out was.
    """

    text: str
    baseline: str | None
    users_needed: int | None
    num_users: int
    comparisons: dict[str, Comparison]
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """The text, with the figures or the reason behind it."""
        if self.text == BEATS_RUN:
            reasons = [f"{name} left out: {why}" for name, why in sorted(self.left_out.items())]
            return f"{self.text} ({'; '.join(reasons)})"
        if self.baseline is not None and self.text.startswith("signal"):
            comparison = self.comparisons[self.baseline]
            if comparison.worse:
                lead, p_value = -comparison.difference, comparison.p_value_worse
                return f"{self.text} (by {lead:.4f}, p {p_value:.2g})"
            figures = [f"{comparison.difference:+.4f}", *why_not_beaten(asdict(comparison))]
            return f"{self.text} ({', '.join(figures)})"
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
    left_out: Mapping[str, str] | None = None,
    alpha: float = ALPHA,
    resamples: int = RESAMPLES,
    clusters: Int64Array | None = None,
) -> Verdict:
    """Compare a model with its baselines; the result is the same on every machine.

    Args:
        per_user: by scorer, [n] the metric of each user, in [0, 1] and in the same order: the
            model under MODEL, `random` (each user's expectation), `popularity`, and any others.
        seed: of the resamples.
        over_seeds: [n] each user's metric under the model, averaged over training seeds; None with
            a single seed.
        left_out: why each strong baseline that is not in `per_user` is not.
        alpha: level of every test.
        resamples: of every test.
        clusters: [n] the cluster of each user, e.g. a household; None: each user alone.

    Raises:
        ValueError: if one of the three is missing, or there is no user.
    """
    if missing := {MODEL, *LIFTS} - per_user.keys():
        msg = f"a verdict needs {MODEL}, {', '.join(LIFTS)}; missing: {', '.join(missing)}"
        raise ValueError(msg)
    model = np.asarray(per_user[MODEL], dtype=np.float64)
    baselines = {name: per_user[name] for name in sorted(per_user) if name != MODEL}
    against = partial(
        compare, baselines=baselines, seed=seed, alpha=alpha, resamples=resamples, clusters=clusters
    )
    shipped = comparisons = against(model)
    if over_seeds is not None:
        means = against(over_seeds)
        comparisons = {
            name: replace(
                one,
                beaten=one.beaten and means[name].beaten,
                worse=one.worse and means[name].worse,
                over_seeds=means[name],
            )
            for name, one in shipped.items()
        }
    unbeaten = [name for name, comparison in comparisons.items() if not comparison.beaten]
    if not unbeaten:
        text = BEATS_RUN if left_out else BEATS
        return Verdict(text, None, None, len(model), comparisons, left_out or {})
    floor = next((name for name in LIFTS if name in unbeaten), None)
    if floor is None:
        better = [name for name in unbeaten if comparisons[name].worse]
        best = max(better or unbeaten, key=lambda name: float(np.mean(baselines[name])))
        text = (WORSE if better else NOT_SHOWN).format(baseline=best)
        return Verdict(text, best, None, len(model), comparisons)
    decisive = shipped[floor]
    if over_seeds is not None and decisive.beaten:  # only the mean over seeds does not beat it
        model, decisive = over_seeds, means[floor]
    text, needed = _without_signal(
        model, baselines, floor, decisive.upper_bound, alpha=alpha, clusters=clusters
    )
    return Verdict(text, floor, needed, len(model), comparisons)


def _without_signal(
    model: Float64Array,
    baselines: Mapping[str, Float64Array],
    floor: str,
    upper_bound: float,
    *,
    alpha: float,
    clusters: Int64Array | None,
) -> tuple[str, int | None]:
    """Whether the data suffice to say that `floor` is not beaten; if not, how many users would."""
    num_users = len(model)
    if clusters is not None:
        baselines = {name: per_cluster(baselines[name], clusters) for name in (RANDOM, floor)}
        model = per_cluster(model, clusters)
    mean = max(float(np.mean(baselines[name])) for name in (RANDOM, floor))
    lift = LIFTS[floor] * max(0.0, min(mean, 1 - mean))
    differences = model - baselines[floor]
    if not _shows_spread(model, baselines[floor] if floor == RANDOM else None):
        differences = _widest(mean + lift, len(model))
    needed = _needed(differences, lift, alpha)
    perfect = mean > 1 - 1e-9  # any order of the items gets it
    if perfect or upper_bound < lift or (needed is not None and needed <= len(model)):
        return NO_BETTER.format(baseline=floor), None
    return TOO_LITTLE, needed and math.ceil(needed * num_users / len(model))


def _needed(differences: Float64Array, lift: float, alpha: float) -> int | None:
    """Users that it takes to detect the lift, with differences as spread as these."""
    if lift == 0:
        return None
    return users_needed(differences - differences.mean() + lift, alpha=alpha, power=POWER)


def _widest(mean: float, count: int) -> Float64Array:
    """[2 · count] with the largest spread that values in [0, 1] with this mean can have."""
    spread = math.sqrt(max(0.0, mean * (1 - mean)))
    return spread * np.tile([-1.0, 1.0], count)


def _shows_spread(model: Float64Array, random: Float64Array | None) -> bool:
    """Whether enough users score above 0 and below random to estimate how common either is."""
    short = random is None or int(np.count_nonzero(model < random)) >= MIN_SEEN
    return short and int(np.count_nonzero(model)) >= MIN_SEEN
