"""Against Clopper and Pearson, by hand, and by how often the bounds hold the truth."""

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from twotower.assessment.statistics import bounded_means, exact_sums
from twotower.assessment.statistics.bounded_means import (
    DIFFERENCE,
    confidence_bounds,
    p_values,
    weighted_means,
)


def bounds(values: np.ndarray, **options: Any) -> tuple[float, float]:
    """Those of a single metric."""
    low, high = confidence_bounds(values.reshape(-1, 1), **options)
    return float(low[0]), float(high[0])


def recall_like(seed: int, count: int) -> np.ndarray:
    """Mostly 0, otherwise 1 / 1 to 1 / 8."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(count) < 0.2, 1 / rng.integers(1, 9, count), 0.0)


@pytest.mark.parametrize(("hits", "users"), [(0, 1), (1, 1), (0, 10), (3, 10), (10, 10), (40, 200)])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_those_of_clopper_and_pearson_for_values_of_0_and_1(
    hits: int, users: int, level: float
) -> None:
    values = np.repeat([1.0, 0.0], [hits, users - hits])
    exact = stats.binomtest(hits, users).proportion_ci(level)
    # Six standard errors of a quantile of 20,000 draws.
    assert bounds(values, seed=0, level=level, resamples=20_000) == pytest.approx(
        (exact.low, exact.high), abs=0.015
    )


def test_the_p_value_is_the_share_of_weighted_means_by_hand() -> None:
    # One user at 0.5 and the imagined one at -1: w / 2 <= 1 - w if w, uniform, is 2 / 3 at most.
    assert p_values(np.array([[0.5]]), seed=0) == pytest.approx(2 / 3, abs=0.03)
    assert p_values(np.array([[0.5]]), seed=0, alternative="less") == [1.0]
    assert p_values(np.array([[-1.0]]), seed=0, alternative="less") == pytest.approx(0.5, abs=0.03)
    assert p_values(np.array([[0.5]]), seed=0, alternative="two-sided") == [1.0]


@pytest.mark.parametrize("count", [20, 300])
@pytest.mark.parametrize("most", [bounded_means.MAX_ROWS, 100])
@pytest.mark.parametrize("resamples", [15, 999, 1000])
def test_the_interval_excludes_0_exactly_if_the_test_rejects(
    count: int, most: int, resamples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_means, "MAX_ROWS", most)
    lifts = np.linspace(-0.2, 0.2, 9)
    values = recall_like(0, count)[:, None] - recall_like(1, count)[:, None] + lifts
    means = weighted_means(values, seed=0, resamples=resamples, limits=(-1.3, 1.3))
    rejected = means.p_values("two-sided") <= 0.1
    low, high = means.bounds(0.9)
    assert (rejected == ((low > 0) | (high < 0))).all()
    assert ((means.p_values("greater") <= 0.05) == (low > 0)).all()
    assert rejected.any() == (resamples > 15)


@settings(max_examples=25)
@given(
    arrays(np.float64, st.tuples(st.integers(1, 30), st.just(2)), elements=st.floats(-1, 1)),
    st.integers(0, 9),
)
def test_bounds_lie_within_the_limits_and_turn_round_with_the_values(
    values: np.ndarray, seed: int
) -> None:
    low, high = confidence_bounds(values, seed=seed, resamples=99, limits=DIFFERENCE)
    assert ((low >= -1) & (low < high) & (high <= 1)).all()
    turned = confidence_bounds(-values, seed=seed, resamples=99, limits=DIFFERENCE)
    assert np.array_equal(turned, (-high, -low))


@pytest.mark.parametrize("clustered", [False, True])
def test_bins_hardly_matter(clustered: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    values = recall_like(0, 2000)
    clusters = np.random.default_rng(0).integers(0, 900, 2000) if clustered else None
    alone = bounds(values, seed=0, clusters=clusters)
    monkeypatch.setattr(bounded_means, "MAX_ROWS", 500)
    binned = bounds(values, seed=0, clusters=clusters)
    assert binned != alone
    assert binned == pytest.approx(alone, abs=0.02 * (alone[1] - alone[0]))


def test_a_cluster_of_one_each_is_none_and_larger_ones_are_wider() -> None:
    values = np.repeat(recall_like(0, 200), 2)
    alone = bounds(values, seed=0)
    names = np.random.default_rng(0).permutation(400) * 3 - 50
    ones = bounds(values, seed=0, clusters=names)
    assert ones == pytest.approx(alone, abs=0.1 * (alone[1] - alone[0]))  # in another order
    assert bounds(values, seed=0, clusters=np.arange(400)) == alone
    pairs = bounds(values, seed=0, clusters=np.repeat(np.arange(200), 2))
    assert pairs == bounds(values[::2], seed=0)
    assert pairs[1] - pairs[0] > 1.3 * (alone[1] - alone[0])


def test_the_imagined_cluster_is_as_large_as_the_largest() -> None:
    # Two clusters of 1 and 3 users at 1: the mean is (w1 + 3 w2) / (w1 + 3 w2 + 3 w0).
    weights = np.random.default_rng(0).standard_exponential((20_000, 3))
    real = weights[:, 0] + 3 * weights[:, 1]
    expected = np.quantile(real / (real + 3 * weights[:, 2]), 0.025)
    low, _ = bounds(np.ones(4), seed=0, clusters=np.array([5, 7, 7, 7]), resamples=20_000)
    assert low == pytest.approx(expected, abs=0.01)


def test_columns_do_not_depend_on_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.stack([recall_like(0, 200), recall_like(1, 200), recall_like(0, 200)], axis=1)
    for most in (bounded_means.MAX_ROWS, 100):
        monkeypatch.setattr(bounded_means, "MAX_ROWS", most)
        low, high = confidence_bounds(values, seed=5, resamples=500)
        assert (low[0], high[0]) == (low[2], high[2])
        assert (low[1], high[1]) == bounds(values[:, 1], seed=5, resamples=500)


def test_each_column_may_have_limits_of_its_own() -> None:
    values = np.stack([recall_like(0, 30), 20 * recall_like(0, 30)], axis=1)
    low, high = confidence_bounds(values, seed=0, limits=(0.0, [1.0, 20.0]))
    assert (low[1], high[1]) == pytest.approx((20 * low[0], 20 * high[0]))


def test_same_seed_same_bits_whatever_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    values = recall_like(0, 300)
    once = bounds(values, seed=3, resamples=400)
    assert bounds(values, seed=4, resamples=400) != once
    monkeypatch.setattr(exact_sums, "BLOCK_CELLS", 700)  # two resamples at a time
    assert bounds(values, seed=3, resamples=400) == once


def test_same_bits_on_any_number_of_threads() -> None:
    code = (
        "import numpy as np;"
        "from twotower.assessment.statistics.bounded_means import confidence_bounds as b;"
        "v = np.random.default_rng(0).random((20000, 12)) ** 5;"
        "print([e.tobytes().hex() for w in (v[:2000], v) for e in b(w, seed=1, resamples=200)])"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "OMP_NUM_THREADS": n, "OPENBLAS_NUM_THREADS": n},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for n in ("1", "2")
    }
    assert len(printed) == 1


def test_95_percent_of_intervals_hold_the_true_mean_of_rare_values() -> None:
    # One user in 30 has 1: a bootstrap of 15 users would hold it in 40 % of the cases.
    rng = np.random.default_rng(0)
    held = 0
    for seed in range(200):
        low, high = bounds((rng.random(15) < 1 / 30) * 1.0, seed=seed, resamples=400)
        held += low <= 1 / 30 <= high
    assert held >= 190


@pytest.mark.parametrize("values", [np.empty((0, 1)), np.array([[0.5], [np.nan]])])
def test_unusable_values_are_refused(values: np.ndarray) -> None:
    with pytest.raises(ValueError, match="finite"):
        confidence_bounds(values, seed=0)


def test_values_outside_the_limits_and_clusters_of_others_are_refused() -> None:
    with pytest.raises(ValueError, match="outside their limits"):
        confidence_bounds(np.array([[1.5]]), seed=0)
    with pytest.raises(ValueError, match="1 clusters for 2 users"):
        confidence_bounds(np.ones((2, 1)), seed=0, clusters=np.array([1]))
