"""Intervals, p-values and sizes of samples, against formulas and other implementations."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from scipy import optimize, stats

from twotower.ab.inference import (
    ACTIVE,
    ALPHA,
    Arm,
    Looks,
    lift,
    uneven,
    users_needed,
)

ONE, MANY = Looks(None), Looks(10_000)


def arm(values: np.ndarray) -> Arm:
    return Arm.of(values.astype(np.float64))


def buyers(count: int, of: int) -> Arm:
    return arm(np.arange(of) < count)


def test_one_look_is_welch_with_a_normal_quantile() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.poisson(1.0, 4_000), rng.poisson(1.1, 1_000)
    found = lift(arm(a), arm(b), ONE)
    assert found is not None
    other = stats.ttest_ind(b, a, equal_var=False)
    assert found.p_value == pytest.approx(2 * stats.norm.sf(abs(other.statistic)), rel=1e-9)
    low, high = other.confidence_interval(1 - ALPHA)
    assert found.difference.low == pytest.approx(low, abs=1e-3)  # a t with 1,500 degrees
    assert found.difference.high == pytest.approx(high, abs=1e-3)


def test_relative_lift_by_hand() -> None:
    # Means 0.1 and 0.12 of 10,000 users each: r with |0.12 - 0.1 r| = 1.96 √(s² + r² t²), s² and
    # t² the squared errors.
    control, treatment = buyers(1_000, 10_000), buyers(1_200, 10_000)
    found = lift(control, treatment, ONE)
    assert found is not None
    assert found.relative.value == pytest.approx(0.2)
    z = NormalDist().inv_cdf(0.975)

    def beyond(r: float) -> float:
        error = math.hypot(treatment.error, r * control.error)
        return abs(0.12 - 0.1 * r) - z * error

    ends = [optimize.brentq(beyond, *side) for side in ((1.0, 1.2), (1.2, 1.5))]
    assert [found.relative.low, found.relative.high] == pytest.approx([e - 1 for e in ends])


@pytest.mark.parametrize("users", [100, 10_000, 10**7])
def test_the_boundary_of_any_number_of_looks_is_the_mixture_s(users: int) -> None:
    # At the boundary, the mean likelihood ratio over drifts of the mixture is 1 / ALPHA (Ville).
    errors = MANY.errors_allowed(users)
    log = -2 * math.log(ALPHA)
    drift_sd = math.sqrt((log + math.log(log + 1)) / 10_000)
    drifts = np.linspace(-8, 8, 20_001) * drift_sd / math.sqrt(1 + users * drift_sd**2)
    center = errors * math.sqrt(users) * drift_sd**2 / (1 + users * drift_sd**2)
    drifts = drifts + center
    ratio = np.exp(drifts * errors * math.sqrt(users) - users * drifts**2 / 2)
    mean = np.trapezoid(ratio * stats.norm.pdf(drifts, scale=drift_sd), drifts)
    assert mean == pytest.approx(1 / ALPHA, rel=1e-6)
    assert MANY.p_value(errors, users) == pytest.approx(ALPHA)
    assert errors > ONE.errors_allowed(users)


def test_it_is_nearest_at_the_planned_users() -> None:
    at = {users: Looks(5_000).errors_allowed(users) for users in (500, 5_000, 50_000)}
    assert min(at, key=lambda users: at[users]) == 5_000
    assert MANY.p_value(0.0, 100) == 1


@pytest.mark.parametrize("looks", [ONE, MANY])
def test_the_interval_excludes_no_difference_exactly_if_the_test_rejects(looks: Looks) -> None:
    control = buyers(1_000, 10_000)
    for count in range(1_000, 1_160, 4):
        found = lift(control, buyers(count, 10_000), looks)
        assert found is not None
        assert found.difference.low is not None
        assert (found.difference.low > 0) == (found.p_value <= ALPHA)


@pytest.mark.parametrize(
    ("count", "enough"), [(ACTIVE - 1, False), (ACTIVE, True), (250, True), (251, False)]
)
def test_an_arm_needs_users_with_an_event_and_others(count: int, enough: bool) -> None:
    assert buyers(count, 300).is_enough is enough
    assert (lift(buyers(100, 300), buyers(count, 300), ONE) is not None) is enough


def test_an_empty_arm_tells_nothing() -> None:
    assert lift(arm(np.zeros(0)), buyers(100, 300), ONE) is None


@pytest.mark.parametrize("looks", [ONE, MANY])
def test_with_the_users_needed_the_power_is_that(looks: Looks) -> None:
    control = buyers(1_000, 10_000)
    needed = users_needed(control, 0.1, 0.3, looks)
    assert needed is not None
    # The error of a difference of so many users, 30 % of them in the treatment.
    error = control.sd * math.sqrt(1 / (0.3 * needed) + 1 / (0.7 * needed))
    power = stats.norm.sf(looks.errors_allowed(needed) - 0.01 / error)
    assert power == pytest.approx(0.8, abs=1e-3)
    assert users_needed(buyers(0, 300), 0.1, 0.5, looks) is None


def test_sizes_of_arms() -> None:
    # Of 10 users, none in the treatment or all: 2 / 2^10.
    assert uneven(0, 10, 0.5) == pytest.approx(2 / 1024)
    assert uneven(5, 10, 0.5) == 1
    assert uneven(5_200, 10_000, 0.5) < 0.001 < uneven(5_100, 10_000, 0.5)
