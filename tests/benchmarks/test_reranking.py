import numpy as np
import pytest

from benchmarks.reranking import accuracy, distances, settings, shares_of_values
from twotower.data.interactions import ItemLists
from twotower.evaluation.holdout import EvaluationSet


def test_distances_by_hand() -> None:
    vectors = np.array([[2, 0], [0, 3], [1, 1], [0, 0]], np.float32)
    items = np.array([[0, 1, -1], [0, 1, 2], [0, 0, -1], [3, 2, -1], [1, -1, -1]])
    # Of 0, 1, 2: cosines 0, .7071 and .7071; a vector of zeros is like none.
    want = [1, (1 + 2 * (1 - 0.5**0.5)) / 3, 0, 1, np.nan]
    assert distances(items, vectors).tolist() == pytest.approx(want, abs=1e-6, nan_ok=True)


def test_shares_of_values_by_hand() -> None:
    values = ItemLists.of([np.array([1]), np.array([1, 2]), np.array([0]), np.array([2])])
    items = np.array([[0, 1, 2], [0, 3, -1], [2, -1, -1]])
    assert shares_of_values(items, values).tolist() == pytest.approx(
        [2 / 3, 1, np.nan], nan_ok=True
    )


def test_accuracy_by_hand() -> None:
    relevant = ItemLists.of([np.array([1]), np.array([0, 2])])
    nothing = ItemLists.empty(2)
    target = EvaluationSet(
        users=np.array([5, 6]),
        relevant=relevant,
        num_relevant=np.array([1, 2]),
        masked=nothing,
        num_items=4,
        num_users_nothing_new=0,
        num_users_cold=0,
        information=np.zeros(4),
    )
    found = accuracy(np.array([[1, -1], [1, 2]]), target)
    assert found["recall_at_10"] == pytest.approx((1 + 1 / 2) / 2)
    assert found["coverage_at_10"] == pytest.approx(2 / 4)


def test_the_first_setting_is_the_model_as_it_is() -> None:
    first, *others = settings("brand")
    assert first == {"diversity": 0.0}
    assert {"max_per": {"brand": 1}} in others
