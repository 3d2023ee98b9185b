import numpy as np
import pytest
import torch

from tests.baselines.test_item_knn import histories
from twotower.baselines import ials as module
from twotower.baselines.ials import _solved, ials
from twotower.baselines.plan import TrainingData


def known(users: int = 9, items: int = 6) -> np.ndarray:
    return (np.random.default_rng(3).random((users, items)) < 0.4).astype(np.float64)


def objective(x: np.ndarray, w: np.ndarray, h: np.ndarray, alpha: float, penalty: float) -> float:
    """As in the docstring, pair by pair."""
    total = 0.0
    for u, i in np.ndindex(x.shape):
        score = w[u] @ h[i]
        total += x[u, i] * (1 - score) ** 2 + alpha * score**2
    rows, columns = x.sum(axis=1), x.sum(axis=0)
    users = (rows + alpha * x.shape[1]) @ (w**2).sum(axis=1)
    items = (columns + alpha * x.shape[0]) @ (h**2).sum(axis=1)
    return float(total + penalty * (users + items))


@pytest.mark.parametrize("block", [2**24, 40])
def test_a_step_solves_for_the_minimum(block, monkeypatch) -> None:
    """The gradient of the objective is 0 in the side that was solved for."""
    monkeypatch.setattr(module, "BLOCK_NUMBERS", block)
    x, alpha, penalty = known(), 0.3, 0.05
    h = np.random.default_rng(0).normal(size=(6, 4))
    matrix = module.histories(histories(x), *x.shape)
    w = _solved(matrix, torch.from_numpy(h).float(), alpha, penalty).numpy().astype(np.float64)
    for place in np.ndindex(w.shape):
        step = np.zeros_like(w)
        step[place] = 1e-3
        above, below = (objective(x, w + s, h, alpha, penalty) for s in (step, -step))
        assert (above - below) / 2e-3 == pytest.approx(0, abs=1e-4)


def test_sweeps_lower_the_objective_and_order_items_by_taste(monkeypatch) -> None:
    x = np.kron(np.eye(2), np.ones((8, 5)))
    x[np.arange(16), np.arange(16) % 5 + 5 * (np.arange(16) // 8)] = 0  # one unknown item each
    values = []
    for sweeps in (1, 3):
        monkeypatch.setattr(module, "SWEEPS", sweeps)
        found = ials(histories(x), *x.shape, dim=4, alpha=0.1, penalty=0.01)
        vectors = found.user_vecs.numpy(), found.item_vecs.numpy()
        values.append(objective(x, *vectors, 0.1, 0.01))
    assert values[1] < values[0]
    scores = found.scores(np.arange(16)).numpy()
    assert scores[:8, :5].min() > scores[:8, 5:].max()


def test_users_and_items_without_rows_have_no_vector() -> None:
    found = ials(histories([[1, 1], [1, 1]]), 3, 4, dim=2, alpha=0.1, penalty=0.01)
    assert not found.user_vecs[2].any()
    assert not found.item_vecs[2:].any()


def test_a_new_user_gets_the_best_vector_for_the_same_items() -> None:
    x = known()
    found = ials(histories(x), *x.shape, dim=4, alpha=0.3, penalty=0.05)
    new = found.scoring(TrainingData(histories(x[[4, 2]]), 2, x.shape[1]))
    assert new.item_vecs.equal(found.item_vecs)
    # After the last sweep over users the items were solved for once more.
    matrix = module.histories(histories(x), *x.shape)
    want = _solved(matrix, found.item_vecs, 0.3, 0.05)[[4, 2]]
    torch.testing.assert_close(new.user_vecs, want)
    assert new.scores(np.array([1])).shape == (1, x.shape[1])
