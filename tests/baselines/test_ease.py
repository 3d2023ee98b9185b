from dataclasses import replace

import numpy as np
import pytest

from tests.baselines.test_item_knn import histories
from twotower.baselines import ease, matrices
from twotower.baselines.ease import EASE
from twotower.baselines.plan import TrainingData
from twotower.data.interactions import Interactions

SHAPES = ((30, 12), (12, 30))
"""More users than items, and fewer."""


def matrix(users: int = 30, items: int = 12) -> np.ndarray:
    return np.random.default_rng(7).random((users, items)) < 0.25


def by_definition(x: np.ndarray, l2: float, chosen: np.ndarray | None = None) -> np.ndarray:
    """x · (I - P / diag(P)), with a diagonal of zeros."""
    x = x.astype(np.float64)
    inverse = np.linalg.inv(x.T @ x + l2 * np.eye(x.shape[1]))
    weights = -inverse / np.diag(inverse)
    np.fill_diagonal(weights, 0)
    return (x if chosen is None else chosen) @ weights


def timed(rows: Interactions) -> Interactions:
    return replace(rows, timestamp=np.random.default_rng(1).permutation(len(rows.user_idx)))


@pytest.mark.parametrize("shape", SHAPES)
def test_each_column_is_the_ridge_regression_of_its_item_on_the_others(shape) -> None:
    users, items = shape
    x, l2 = matrix(*shape).astype(np.float64), 3.0
    scores = EASE(histories(matrix(*shape)), *shape, l2=l2).scores(np.arange(users)).numpy()
    for item in range(items):
        others = np.delete(x, item, axis=1)
        normal = others.T @ others + l2 * np.eye(items - 1)
        want = others @ np.linalg.solve(normal, others.T @ x[:, item])
        np.testing.assert_allclose(scores[:, item], want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("float64_size", [10_000, 0])
@pytest.mark.parametrize("shape", [(70, 50), (50, 70), (50, 50)])
def test_both_forms_score_all_items_alike(shape, float64_size, monkeypatch) -> None:
    """Those that a user has included, and histories that are no rows of the fitted matrix too."""
    monkeypatch.setattr(ease, "FLOAT64_SIZE", float64_size)
    monkeypatch.setattr(matrices, "BLOCK", 16)
    x = matrix(*shape)
    rows, everyone = timed(histories(x)), np.arange(shape[0])
    scorer = EASE(rows, *shape, l2=2.0)
    assert type(scorer._form) is (ease._Dual if shape[0] < shape[1] else ease._Primal)
    decayed = scorer.scoring(TrainingData(rows, *shape), 0.3)
    weights = decayed._histories.toarray()
    for form in (ease._Primal, ease._Dual):
        scorer._form = decayed._form = form(scorer._fitted, 2.0)
        np.testing.assert_allclose(scorer.scores(everyone), by_definition(x, 2.0), atol=2e-5)
        want = by_definition(x, 2.0, weights)
        np.testing.assert_allclose(decayed.scores(everyone), want, atol=2e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_new_users_are_scored_by_their_own_histories(shape) -> None:
    x, new = matrix(*shape), matrix(5, shape[1])[::-1]
    scorer = EASE(histories(x), *shape, l2=2.0).scoring(TrainingData(histories(new), *new.shape))
    want = by_definition(x, 2.0, new)
    np.testing.assert_allclose(scorer.scores(np.array([4, 0])), want[[4, 0]], atol=2e-5)


@pytest.mark.parametrize("shape", [(3, 3), (3, 4)])
def test_users_and_items_without_rows_score_nothing(shape) -> None:
    scores = EASE(histories([[1, 1], [1, 1]]), *shape, l2=1.0).scores(np.array([0, 2])).numpy()
    assert scores.shape == (2, shape[1])
    assert not scores[1].any()
    assert not scores[0, 2:].any()
    assert scores[0, 0] > 0


@pytest.mark.parametrize("shape", SHAPES)
def test_scores_may_be_overwritten(shape) -> None:
    scorer = EASE(histories(matrix(*shape)), *shape, l2=1.0)
    first = scorer.scores(np.array([0, 1]))
    want = first[1].clone()
    first[:] = -1.0
    assert scorer.scores(np.array([1]))[0].equal(want)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_number_of_threads_changes_no_bit(shape, monkeypatch) -> None:
    monkeypatch.setattr(matrices, "BLOCK", 8)
    rows, everyone = timed(histories(matrix(*shape))), np.arange(shape[0])
    found = []
    for threads in (1, 2):
        monkeypatch.setattr(matrices, "THREADS", threads)
        scorer = EASE(rows, *shape, l2=1.0)
        found.append(
            (
                scorer.scores(everyone),
                scorer.scoring(TrainingData(rows, *shape), 0.3).scores(everyone),
            )
        )
    assert all(one.equal(two) for one, two in zip(*found, strict=True))
