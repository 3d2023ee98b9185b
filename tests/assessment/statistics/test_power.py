"""Users needed, by hand and by simulation."""

import numpy as np
import pytest
from scipy import stats

from twotower.assessment.statistics.power import users_needed


def test_by_hand() -> None:
    # Mean 0.1 and standard deviation 0.2: (1.6449 + 0.8416)² · 4 = 24.7.
    values = 0.1 + 0.2 * np.array([1.0, -1.0] * 50) * np.sqrt(99 / 100)
    assert users_needed(values) == 25


def test_that_many_find_it_with_the_stated_power() -> None:
    rng = np.random.default_rng(0)
    seen = rng.normal(0.05, 0.3, 4000)
    wanted = users_needed(seen, alpha=0.05, power=0.8)
    assert wanted is not None
    samples = rng.choice(seen, (2000, wanted))
    found = stats.ttest_1samp(samples, 0, axis=1, alternative="greater").pvalue <= 0.05
    assert found.mean() == pytest.approx(0.8, abs=0.05)


@pytest.mark.parametrize("values", [[], [0.5], [0.0, 0.0], [-0.1, 0.05]])
def test_nothing_to_find(values: list[float]) -> None:
    assert users_needed(np.array(values)) is None


def test_equal_differences_need_enough_signs() -> None:
    assert users_needed(np.full(3, 0.1)) == 5  # 2**-5 < 0.05 < 2**-4
