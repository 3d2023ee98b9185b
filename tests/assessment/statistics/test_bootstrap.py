"""Intervals against scipy's bootstrap, by hand, and by how often they hold the truth."""

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from scipy import stats

from twotower.assessment.statistics import exact_sums
from twotower.assessment.statistics.bootstrap import Method, bootstrap_intervals


def bootstrap_interval(values: np.ndarray, **options: Any) -> tuple[float, float]:
    """That of a single metric."""
    low, high = bootstrap_intervals(values.reshape(-1, 1), **options)
    return float(low[0]), float(high[0])


def recall_like(seed: int, count: int) -> np.ndarray:
    """Mostly 0, otherwise 1 / 1 to 1 / 8."""
    rng = np.random.default_rng(seed)
    return np.where(rng.random(count) < 0.2, 1 / rng.integers(1, 9, count), 0.0)


@pytest.mark.parametrize("method", ["bca", "percentile"])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_agrees_with_scipy(method: Method, level: float) -> None:
    values = recall_like(1, 150)
    theirs = stats.bootstrap(
        (values,),
        np.mean,
        confidence_level=level,
        n_resamples=20_000,
        method={"bca": "BCa", "percentile": "percentile"}[method],
        rng=np.random.default_rng(0),
    ).confidence_interval
    ours = bootstrap_interval(values, seed=0, level=level, resamples=20_000, method=method)
    assert ours == pytest.approx(tuple(theirs), abs=0.02 * (theirs.high - theirs.low))


def test_methods_differ_where_values_are_skewed() -> None:
    values = recall_like(1, 150)
    low, high = bootstrap_interval(values, seed=0)
    plain_low, plain_high = bootstrap_interval(values, seed=0, method="percentile")
    assert low > plain_low
    assert high > plain_high


@pytest.mark.parametrize("method", ["bca", "percentile"])
def test_95_percent_of_intervals_hold_the_true_mean(method: Method) -> None:
    truth = 0.2 * sum(1 / n for n in range(1, 9)) / 8
    intervals = [
        bootstrap_interval(recall_like(seed, 500), seed=seed, resamples=400, method=method)
        for seed in range(300)
    ]
    # 95 % of 300 is 285 with a standard deviation of 3.8.
    assert 270 <= sum(low <= truth <= high for low, high in intervals) <= 297


def test_columns_share_resamples_and_equal_single_ones() -> None:
    values = np.stack([recall_like(0, 200), recall_like(1, 200), recall_like(0, 200)], axis=1)
    low, high = bootstrap_intervals(values, seed=5, resamples=500)
    assert (low[0], high[0]) == (low[2], high[2])
    assert (low[1], high[1]) == bootstrap_interval(values[:, 1], seed=5, resamples=500)


def test_same_seed_same_bits_whatever_the_block_and_the_order_of_sums(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = recall_like(0, 300)
    once = bootstrap_interval(values, seed=3, resamples=400)
    assert bootstrap_interval(values, seed=4, resamples=400) != once
    monkeypatch.setattr(exact_sums, "BLOCK_CELLS", 700)  # two resamples at a time
    assert bootstrap_interval(values, seed=3, resamples=400) == once


def test_same_bits_on_any_number_of_threads() -> None:
    code = (
        "import numpy as np;"
        "from twotower.assessment.statistics.bootstrap import bootstrap_intervals as b;"
        "v = np.random.default_rng(0).random((2000, 12)) ** 5;"
        "print([e.tobytes().hex() for e in b(v, seed=1, resamples=200)])"
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


def test_equal_values_and_one_user() -> None:
    assert bootstrap_interval(np.full(7, 0.25), seed=0) == (0.25, 0.25)
    assert np.isnan(bootstrap_interval(np.array([0.25]), seed=0)).all()


@pytest.mark.parametrize("values", [[], [0.5, np.nan]])
def test_unusable_values_are_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        bootstrap_interval(np.array(values), seed=0)
