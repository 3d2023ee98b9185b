import numpy as np
import pytest

from twotower.baselines.histories import histories
from twotower.baselines.item_knn import ItemKNN
from twotower.baselines.plan import TrainingData
from twotower.data.interactions import Interactions

# User 0: item 2, then items 0 and 1 in one second, then item 2 again. User 1: item 1.
ROWS = Interactions(
    user_idx=np.array([0, 0, 1, 0, 0]),
    item_idx=np.array([2, 0, 1, 1, 2]),
    weight=np.full(5, 3, dtype=np.float32),
    timestamp=np.array([10, 20, 5, 20, 30]),
)


def test_what_is_in_a_history_weighs_1() -> None:
    assert histories(ROWS, 3, 4).toarray().tolist() == [[1, 1, 1, 0], [0, 1, 0, 0], [0] * 4]


def test_an_item_weighs_less_for_each_row_after_its_last_one() -> None:
    # Item 2's last row is the user's last; one row comes after those of items 0 and 1.
    decayed = histories(ROWS, 3, 4, decay=0.25).toarray()
    assert decayed.tolist() == [[0.75, 0.75, 1, 0], [0, 1, 0, 0], [0] * 4]


def test_a_decayed_scorer_is_fitted_to_whole_histories() -> None:
    plain = ItemKNN(ROWS, 3, 4, k=3)
    decayed = plain.scoring(TrainingData(ROWS, 3, 4), 0.25)
    everyone = np.arange(3)
    weights = histories(ROWS, 3, 4, decay=0.25).toarray()
    by_item = [plain.scoring(_only(item)).scores(everyone)[0].numpy() for item in range(3)]
    want = weights[:, :3] @ np.array(by_item)
    assert decayed.scores(everyone).numpy() == pytest.approx(want)
    assert plain.scores(everyone)[0].tolist() == pytest.approx(sum(by_item).tolist())


def _only(item: int) -> TrainingData:
    """A history of one item."""
    one = np.array([1.0], dtype=np.float32)
    return TrainingData(Interactions(np.array([0]), np.array([item]), one, np.array([1])), 3, 4)
