"""Whether the means of two arms differ, at one look or at any number of them.

Users are the unit, as arms are assigned to users. The difference of two means is an average over
many users, and normal as such: what is required is `ACTIVE` users in each arm that tell anything.
One standard error serves both kinds of test, which differ in how many of them they allow for:

- one look, at a moment that was set beforehand: 1.96 of them;
- any number of looks: the boundary that a normal random walk of variance 1 never crosses with
  probability 1 - ALPHA, mixed over drifts. The intervals of all looks hold the truth together, so
  that one may look daily, and stop when one likes.

Sources: Welch, Biometrika 1947; Fieller, JRSS B 1954, for the ratio; Robbins, Annals of
Mathematical Statistics 1970, and Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform
central limit theory and asymptotic confidence sequences", Annals of Statistics 2024, for the
boundary; it is that of the mixture sequential probability ratio test (Johari et al., Operations
Research 2022).
"""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from scipy import stats

from twotower.common.arrays import Float64Array

ALPHA = 0.05
POWER = 0.8
ACTIVE = 50
"""Users with an outcome other than 0, and as many below the largest, that each arm needs."""
UNEVEN = 0.001
"""p-value of the sizes of the arms at which something is wrong with them."""


@dataclass(frozen=True)
class Looks:
    """How often one may look.

    Attributes:
        planned: users in both arms at which the boundary for any number of looks is nearest; it
            must not be chosen by the data. None: one look is taken.
    """

    planned: int | None

    def errors_allowed(self, num_users: int) -> float:
        """How many standard errors an interval of so many users reaches to each side."""
        if self.planned is None:
            return NormalDist().inv_cdf(1 - ALPHA / 2)
        spread = self._spread(num_users)
        return math.sqrt(2 * (1 + 1 / spread) * (math.log1p(spread) / 2 - math.log(ALPHA)))

    def p_value(self, errors: float, num_users: int) -> float:
        """Two-sided, of a difference of so many standard errors."""
        if self.planned is None:
            return 2 * NormalDist().cdf(-abs(errors))
        spread = self._spread(num_users)
        exponent = math.log1p(spread) / 2 - errors**2 / (2 * (1 + 1 / spread))
        return math.exp(min(0.0, exponent))

    def _spread(self, num_users: int) -> float:
        """Variance of the mixture of drifts, in squared standard errors."""
        assert self.planned is not None  # noqa: S101 - both callers ask
        log = -2 * math.log(ALPHA)
        return num_users * (log + math.log(log + 1)) / self.planned


@dataclass(frozen=True)
class Arm:
    """The outcomes of an arm.

    Attributes:
        users: number of them.
        active: users with an outcome other than 0.
        mean: per user.
        sd: standard deviation; 0 for one user.
        is_enough: whether the arm tells enough for an interval.
    """

    users: int
    active: int
    mean: float
    sd: float
    is_enough: bool

    @classmethod
    def of(cls, values: Float64Array) -> "Arm":
        """What is to be known of [n] outcomes."""
        if not len(values):
            return cls(0, 0, 0.0, 0.0, is_enough=False)
        active = int(np.count_nonzero(values))
        below = int(np.count_nonzero(values < values.max()))
        sd = float(values.std(ddof=1)) if len(values) > 1 else 0.0
        enough = min(active, below) >= ACTIVE
        return cls(len(values), active, float(values.mean()), sd, enough)

    @property
    def error(self) -> float:
        """Standard error of the mean."""
        return self.sd / math.sqrt(self.users)


@dataclass(frozen=True)
class Interval:
    """A figure with both ends of its interval at 1 - ALPHA; None: there is no end."""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Lift:
    """The treatment against the control.

    Attributes:
        difference: of the means.
        relative: the same as a share of the control's mean.
        p_value: two-sided, of no difference; at most ALPHA exactly if the interval excludes 0.
    """

    difference: Interval
    relative: Interval
    p_value: float


def lift(control: Arm, treatment: Arm, looks: Looks) -> Lift | None:
    """Compare two arms; None if either is not enough for it."""
    if not (control.is_enough and treatment.is_enough):
        return None
    users = control.users + treatment.users
    allowed = looks.errors_allowed(users)
    difference, error = treatment.mean - control.mean, math.hypot(control.error, treatment.error)
    return Lift(
        Interval(difference, difference - allowed * error, difference + allowed * error),
        _relative(control, treatment, allowed),
        looks.p_value(difference / error, users),
    )


def _relative(control: Arm, treatment: Arm, allowed: float) -> Interval:
    """All ratios r for which treatment - r · control is so many standard errors from 0 at most."""
    if control.mean <= 0:
        return Interval(None, None, None)
    ratio = treatment.mean / control.mean
    a = control.mean**2 - (allowed * control.error) ** 2
    if a <= 0:
        return Interval(ratio - 1, None, None)
    b = control.mean * treatment.mean
    c = treatment.mean**2 - (allowed * treatment.error) ** 2
    root = math.sqrt(max(0.0, b**2 - a * c))
    return Interval(ratio - 1, (b - root) / a - 1, (b + root) / a - 1)


def uneven(treatment: int, users: int, share: float) -> float:
    """p-value of so many users in the treatment if each is with probability `share` (exact)."""
    return float(stats.binomtest(treatment, users, share).pvalue)


def users_needed(control: Arm, relative: float, share: float, looks: Looks) -> int | None:
    """Users in both arms with whom a relative lift is seen with probability POWER.

    The treatment is taken to spread as the control does. With any number of looks it is seen by
    then; sooner, if luck has it.

    Returns:
        None if the control says too little of the outcome.
    """
    if not control.is_enough or control.mean <= 0 or not 0 < share < 1:
        return None
    unit = control.sd * math.sqrt(1 / share + 1 / (1 - share)) / (control.mean * relative)
    needed = 1.0
    for _ in range(100):  # the boundary grows with the logarithm of the users: a few rounds
        before = needed
        allowed = looks.errors_allowed(math.ceil(before)) + NormalDist().inv_cdf(POWER)
        needed = (unit * allowed) ** 2
        if abs(needed - before) < 0.5:
            break
    return math.ceil(needed)
