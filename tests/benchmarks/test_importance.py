import pytest
from optuna.samplers import RandomSampler

from benchmarks.importance import mean_over_trees, measure, search, true_shares


def test_the_true_shares_are_those_of_the_squared_weights() -> None:
    # 1, .36 and .09 of 1.45.
    assert true_shares() == pytest.approx(
        {"a": 0.6897, "b": 0.2483, "c": 0.0621, "d": 0, "e": 0, "f": 0}, abs=1e-4
    )


def test_the_truth_is_at_no_distance() -> None:
    trials = search(3, RandomSampler(seed=0), 0)
    assert len(trials) == 3
    assert measure(lambda _: true_shares(), [trials])[:2] == (0.0, 1.0)
    wrong = {"a": 0, "b": 1, "c": 0, "d": 0, "e": 0, "f": 0}
    # .6897 + .7517 + .0621, of six.
    assert measure(lambda _: wrong, [trials])[:2] == pytest.approx((0.2506, 0), abs=1e-4)


def test_shares_of_the_trees_sum_to_one() -> None:
    shares = mean_over_trees(search(12, RandomSampler(seed=0), 0))
    assert sum(shares.values()) == pytest.approx(1)
