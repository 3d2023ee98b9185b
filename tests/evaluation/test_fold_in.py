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


def test_a_tower_that_encodes_reads_each_history_alone() -> None:
    seen = []

    def encode(items: np.ndarray) -> np.ndarray:
        seen.append(items.tolist())
        return np.full(2, len(items), dtype=np.float32)

    fold_in = FoldIn(**POOLED, normalise=False, has_popularity=False, encode=encode)
    assert fold_in.vectors(HISTORIES).tolist() == [[2, 2], [0, 0], [1, 1]]
    assert seen == [[0, 1], [2]]
