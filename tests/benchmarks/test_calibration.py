"""Verdicts and intervals over some tens of fixed seeds; benchmarks.calibration takes a thousand."""

import numpy as np
import pytest

from benchmarks import calibration
from twotower.evaluation.evaluate import evaluate


@pytest.mark.parametrize("name", list(calibration.NO_TASTE))
def test_signal_is_seldom_claimed_where_there_is_none(name: str) -> None:
    found = calibration.claims(calibration.NO_TASTE[name], range(25), resamples=500)
    claimed = sum(number for text, number in found.items() if calibration.is_claim(text))
    # Of 25 tests at 5 %, more than 5 err with a probability of 0.1 %.
    assert claimed <= 5, found


def test_signal_is_claimed_where_there_is_some() -> None:
    found = calibration.claims(calibration.TASTE, range(10), resamples=500)
    assert sum(number for text, number in found.items() if calibration.is_claim(text)) >= 8, found


def test_intervals_hold_the_planted_lift() -> None:
    held = calibration.coverage(range(60), num_users=600, resamples=500)
    for what in ("mean", "difference"):
        for name, share in held[what].items():
            # Of 60 intervals at 95 %, fewer than 50 hold with a probability of 0.1 %.
            assert round(share * 60) >= 50, (what, name)


def test_the_planted_lift_is_that_of_many_users() -> None:
    truth = calibration.expectation(calibration.rankings()[1])
    target = calibration.users_of_segments(20_000, np.random.default_rng(0))
    order = calibration.rankings()[1]
    found = evaluate(calibration.FixedRanking(order), target, (10,)).per_user
    for name, value in truth.items():
        error = found[name].std() / np.sqrt(20_000)
        assert found[name].mean() == pytest.approx(value, abs=4 * error), name
        assert found[name].mean() > calibration.expectation(calibration.rankings()[0])[name]


def test_the_bounds_are_those_of_as_many_seeds() -> None:
    assert calibration.most_claims(1000) == 0.067
    assert calibration.covered(1000) == (0.931, 0.967)
    low, high = calibration.covered(150)
    assert (low, high) == pytest.approx((135 / 150, 148 / 150))
