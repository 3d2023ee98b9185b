import numpy as np
import pytest

from twotower.evaluation.fold_in import FoldIn

ADDENDS = np.array([[3, 0, 9], [0, 4, 9], [6, 8, 9]], dtype=np.float32)
POOLED = {"addends": ADDENDS, "width": 2, "exponent": 1.0, "decay": 0.0}
HISTORIES = [np.array([0, 1]), np.array([], dtype=np.int64), np.array([2])]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [[1.5, 2], [0, 0], [6, 8]]),
        ({"exponent": 0.0}, [[3, 4], [0, 0], [6, 8]]),
        ({"exponent": 0.0, "decay": 0.5}, [[1.5, 4], [0, 0], [6, 8]]),
        ({"normalise": True}, [[0.6, 0.8], [0, 0], [0.6, 0.8]]),
        ({"has_popularity": True}, [[1.5, 2, 1], [0, 0, 0], [6, 8, 1]]),
    ],
)
def test_pooled_by_hand(changes: dict, expected: list[list[float]]) -> None:
    fold_in = FoldIn(**POOLED | {"normalise": False, "has_popularity": False} | changes)
    vectors = fold_in.vectors(HISTORIES)
    assert vectors.dtype == np.float32
    assert vectors == pytest.approx(np.array(expected))


@pytest.mark.parametrize(
    ("at_once", "reads"), [(1, [[[0, 1]], [[1, 2]], [[2]]]), (2, [[[0, 1], [1, 2]], [[2]]])]
)
def test_a_tower_reads_histories_of_a_length_at_once(at_once, reads) -> None:
    seen = []

    def encode(items: np.ndarray) -> np.ndarray:
        seen.append(items.tolist())
        return items[:, [0, -1]].astype(np.float32)

    towers = {"normalise": False, "has_popularity": False, "encode": encode, "at_once": at_once}
    vectors = FoldIn(**POOLED, **towers).vectors([*HISTORIES, np.array([1, 2])])
    assert vectors.tolist() == [[0, 1], [0, 0], [2, 2], [1, 2]]
    assert seen == reads


def test_the_vector_of_a_history_does_not_depend_on_the_others() -> None:
    rng = np.random.default_rng(0)
    histories = [rng.choice(50, rng.integers(0, 9), replace=False) for _ in range(60)]
    addends = rng.normal(size=(50, 7)).astype(np.float32)
    fold_in = FoldIn(addends, 7, 0.5, 0.1, normalise=True, has_popularity=True)
    alone = [fold_in.vectors([items]) for items in histories]
    assert fold_in.vectors(histories).tobytes() == np.concatenate(alone).tobytes()
