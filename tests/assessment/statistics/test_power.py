"""Users needed, by hand and by simulation."""

import numpy as np
import pytest

from twotower.assessment.statistics.bounded_means import p_values
from twotower.assessment.statistics.power import users_needed


def test_by_hand() -> None:
    # Mean 0.1 and standard deviation 0.2: 44 users · 0.1 = (1.6449 + 0.8416) · 0.2 · √44 + 1.1.
    values = 0.1 + 0.2 * np.array([1.0, -1.0] * 50) * np.sqrt(99 / 100)
    assert users_needed(values) == 44


def test_that_many_find_it_with_the_stated_power() -> None:
    rng = np.random.default_rng(0)
    seen = np.clip(rng.normal(0.05, 0.3, 4000), -1, 1)
    wanted = users_needed(seen, alpha=0.05, power=0.8)
    assert wanted is not None
    samples = rng.choice(seen, (wanted, 500))
    found = p_values(samples, seed=0, resamples=1000) <= 0.05
    assert found.mean() == pytest.approx(0.8, abs=0.06)


@pytest.mark.parametrize("values", [[], [0.5], [0.0, 0.0], [-0.1, 0.05]])
def test_nothing_to_find(values: list[float]) -> None:
    assert users_needed(np.array(values)) is None


def test_equal_differences_need_enough_users_as_well() -> None:
    assert users_needed(np.full(3, 0.1)) == 32  # 1.1**-32 < 0.05 < 1.1**-31
    assert users_needed(np.full(3, 1.0)) == 5  # 2**-5 < 0.05 < 2**-4
