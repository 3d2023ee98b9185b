"""Hoeffding's bound by hand, against exact binomials, and under no difference."""

import numpy as np
import pytest
from scipy import stats

from twotower.assessment.statistics.bounded import bounded_p_value


def test_by_hand() -> None:
    # All of n hits are as likely as that: 0.9 ** 20. Half instead of a quarter, of two users:
    # (0.25 / 0.5) ** 1 · (0.75 / 0.5) ** 1.
    assert bounded_p_value(np.ones(20), np.full(20, 0.9)) == pytest.approx(0.9**20)
    assert bounded_p_value(np.array([0.0, 1.0]), np.full(2, 0.25)) == pytest.approx(0.75)
    assert bounded_p_value(np.ones(2), np.array([0.2, 0.8])) == pytest.approx(0.25)


def test_what_is_not_above_its_expectation() -> None:
    assert bounded_p_value(np.full(9, 0.3), np.full(9, 0.3)) == 1.0
    assert bounded_p_value(np.zeros(9), np.full(9, 0.3)) == 1.0
    assert bounded_p_value(np.zeros(9), np.zeros(9)) == 1.0
    assert bounded_p_value(np.ones(9), np.ones(9)) == 1.0
    assert bounded_p_value(np.full(9, 0.1), np.zeros(9)) == 0.0


@pytest.mark.parametrize("rate", [0.02, 0.5, 0.97])
def test_is_never_below_the_exact_p_value_of_hits(rate: float) -> None:
    for hits in range(21):
        values = (np.arange(20) < hits).astype(np.float64)
        exact = stats.binom.sf(hits - 1, 20, rate)
        assert bounded_p_value(values, np.full(20, rate)) >= exact - 1e-12


def test_no_value_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        bounded_p_value(np.empty(0), np.empty(0))
