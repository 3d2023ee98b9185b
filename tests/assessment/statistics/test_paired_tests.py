"""Sign-flip tests against all flips, against scipy, and under no difference."""

import itertools

import numpy as np
import pytest
from scipy import stats

from twotower.assessment.statistics import exact_sums
from twotower.assessment.statistics.paired_tests import (
    Alternative,
    paired_interval,
    paired_test,
    paired_tests,
)


def differences(seed: int, count: int, lift: float = 0.0) -> np.ndarray:
    """Of two recalls: mostly 0."""
    rng = np.random.default_rng(seed)
    ours = np.where(rng.random(count) < 0.2 + lift, 1 / rng.integers(1, 9, count), 0.0)
    theirs = np.where(rng.random(count) < 0.2, 1 / rng.integers(1, 9, count), 0.0)
    return ours - theirs


def all_flips(values: np.ndarray, alternative: Alternative) -> float:
    signs = np.array(list(itertools.product([1, -1], repeat=len(values))))
    sums, observed = signs @ values, values.sum()
    if alternative == "two-sided":
        sums, observed = np.abs(sums), abs(observed)
    return float((sums >= observed - 1e-12).mean())


@pytest.mark.parametrize("alternative", ["greater", "two-sided"])
@pytest.mark.parametrize("seed", range(4))
def test_approaches_the_share_of_all_flips(seed: int, alternative: Alternative) -> None:
    values = differences(seed, 25, 0.3)
    values = values[values != 0][:10]
    got = paired_test(values, seed=1, resamples=40_000, alternative=alternative)
    # Four standard errors of a share of 40,000.
    assert got == pytest.approx(all_flips(values, alternative), abs=4 * 0.5 / 200)


@pytest.mark.parametrize("alternative", ["greater", "two-sided"])
def test_agrees_with_scipy(alternative: Alternative) -> None:
    values = differences(3, 400, 0.08)
    theirs = stats.permutation_test(
        (values,),
        lambda x, axis: x.mean(axis=axis),
        permutation_type="samples",
        n_resamples=9_999,
        alternative=alternative,
        rng=np.random.default_rng(0),
    )
    ours = paired_test(values, seed=0, alternative=alternative)
    assert ours == pytest.approx(theirs.pvalue, abs=0.02)
    assert 0.001 < ours < 0.5


def test_by_hand() -> None:
    # No difference at all: every flip reaches the observed sum.
    assert paired_test(np.zeros(9), seed=0, resamples=99) == 1.0
    # Never reached but by the observed signs themselves: 2**-60.
    assert paired_test(np.ones(60), seed=0, resamples=99) == 0.01
    assert paired_test(-np.ones(60), seed=0, resamples=99) == 1.0
    assert paired_test(-np.ones(60), seed=0, resamples=99, alternative="two-sided") == 0.01


def test_users_without_a_difference_change_nothing() -> None:
    some = differences(0, 80, 0.1)
    some = some[some != 0]
    padded = np.concatenate([some, np.zeros(1000)])
    assert paired_test(padded, seed=2) == paired_test(some, seed=2)


def test_sums_that_are_equal_on_paper_are_ties() -> None:
    # 0.1 + 0.2 - 0.3 is not 0 in binary; flips that reach 0.6 are those of all signs alike.
    values = np.array([0.1, 0.2, -0.3])
    assert paired_test(values, seed=0, resamples=8000) == pytest.approx(5 / 8, abs=0.03)


def test_columns_share_flips_and_equal_single_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = np.stack([differences(0, 900, 0.1), differences(1, 900, 0.05)], axis=1)
    columns = columns[columns.all(axis=1)]  # a column alone drops the users that it ties on
    both = paired_tests(columns, seed=7, resamples=999)
    alone = [paired_test(column, seed=7, resamples=999) for column in columns.T]
    assert both.tolist() == alone
    monkeypatch.setattr(exact_sums, "BLOCK_CELLS", 500)
    assert paired_tests(columns, seed=7, resamples=999).tolist() == both.tolist()


def test_level_under_no_difference() -> None:
    p_values = [
        paired_test(differences(seed, 150), seed=seed, resamples=199) for seed in range(400)
    ]
    # 5 % of 400 is 20, its standard deviation 4.4.
    assert 5 <= sum(p <= 0.05 for p in p_values) <= 36


def test_interval_is_that_of_the_mean_difference() -> None:
    values = differences(1, 800, 0.2)
    low, high = paired_interval(values, seed=0)
    assert 0 < low < values.mean() < high
    theirs = stats.bootstrap(
        (values,), np.mean, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    assert (low, high) == pytest.approx(tuple(theirs), abs=0.03 * (high - low))
