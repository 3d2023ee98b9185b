import numpy as np
import pytest

from tests.baselines.test_item_knn import histories
from twotower.baselines import ease
from twotower.baselines.ease import EASE


def matrix() -> np.ndarray:
    return np.random.default_rng(7).random((30, 12)) < 0.25


def test_each_column_is_the_ridge_regression_of_its_item_on_the_others() -> None:
    x, l2 = matrix().astype(np.float64), 3.0
    scores = EASE(histories(matrix()), 30, 12, l2=l2).scores(np.arange(30)).numpy()
    for item in range(12):
        others = np.delete(x, item, axis=1)
        normal = others.T @ others + l2 * np.eye(11)
        want = others @ np.linalg.solve(normal, others.T @ x[:, item])
        np.testing.assert_allclose(scores[:, item], want, rtol=1e-4, atol=1e-5)


def test_users_and_items_without_rows_score_nothing() -> None:
    scores = EASE(histories([[1, 1], [1, 1]]), 3, 4, l2=1.0).scores(np.array([0, 2])).numpy()
    assert scores.shape == (2, 4)
    assert not scores[1].any()
    assert not scores[0, 2:].any()
    assert scores[0, 0] > 0


def test_scores_may_be_overwritten() -> None:
    scorer = EASE(histories(matrix()), 30, 12, l2=1.0)
    first = scorer.scores(np.array([0, 1]))
    want = first[1].clone()
    first[:] = -1.0
    assert scorer.scores(np.array([1]))[0].equal(want)


def test_a_catalogue_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ease, "MAX_ITEMS", 11)
    with pytest.raises(ValueError, match="at most 11 items, got 12"):
        EASE(histories(matrix()), 30, 12, l2=1.0)
