import numpy as np
import pytest

from tests.conftest import catalogue_of, events
from twotower.baselines import item_knn
from twotower.baselines.item_knn import ItemKNN, Neighbourhood
from twotower.data.interactions import Interactions

Float64Array = np.ndarray


def histories(matrix: list[list[int]] | Float64Array) -> Interactions:
    users, items = np.nonzero(np.array(matrix))
    nothing = np.zeros(len(users))
    return Interactions(users, items, nothing.astype(np.float32), nothing.astype(np.int64))


def scores_of(matrix: list[list[int]] | Float64Array, k: int, shrink: float = 0.0) -> Float64Array:
    users, items = np.array(matrix).shape
    scorer = ItemKNN(histories(matrix), users, items, k=k, shrink=shrink)
    return scorer.scores(np.arange(users)).numpy()


def naive(matrix: Float64Array, k: int, shrink: float) -> Float64Array:
    """The definition, item by item."""
    x = matrix.astype(np.float64)
    weight = 1 / np.sqrt(np.maximum(x.sum(axis=1), 1))
    together, totals = x.T @ (weight[:, None] * x), x.T @ weight
    similar = np.zeros_like(together)
    for item in range(len(totals)):
        values = {
            other: together[item, other] / (np.sqrt(totals[item] * totals[other]) + shrink)
            for other in range(len(totals))
            if other != item and together[item, other]
        }
        for other in sorted(values, key=lambda other: (-np.float32(values[other]), other))[:k]:
            similar[item, other] = values[other]
    return x @ similar.T


def test_by_hand() -> None:
    # Every user has 2 items, so all weigh the same. Items 0 and 1 share 2 of 2 and 2 of 3 users:
    # 2 / sqrt(6). Items 1 and 2 share 1 of 3 and 1.
    matrix = [[1, 1, 0], [1, 1, 0], [0, 1, 1]]
    scores = scores_of(matrix, k=2)
    assert scores[0].tolist() == pytest.approx([2 / 6**0.5, 2 / 6**0.5, 1 / 3**0.5])
    assert scores[2].tolist() == pytest.approx([2 / 6**0.5, 1 / 3**0.5, 1 / 3**0.5])
    one = 2**-0.5  # weight of a user
    assert scores_of(matrix, k=2, shrink=4.0)[0, 2] == pytest.approx(one / (3**0.5 * one + 4))


def test_users_of_many_items_count_less() -> None:
    # Item 0 shares one user with item 1, who has 2 items, and one with item 2, who has 4.
    scores = scores_of([[1, 1, 0, 0, 0], [1, 0, 1, 1, 1], [0, 1, 0, 0, 0], [0, 0, 1, 0, 0]], k=5)
    from_item_1, from_item_2 = scores[2, 0], scores[3, 0]
    assert from_item_1 > from_item_2 > 0


@pytest.mark.parametrize("k", [1, 3, 50])
@pytest.mark.parametrize("shrink", [0.0, 5.0])
def test_it_is_the_definition_in_blocks_of_any_size(
    k: int, shrink: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    matrix = np.random.default_rng(4).random((40, 23)) < 0.15
    monkeypatch.setattr(item_knn, "BLOCK_ITEMS", 5)
    want = naive(matrix, k, shrink)
    np.testing.assert_allclose(scores_of(matrix, k, shrink), want, rtol=1e-5, atol=1e-6)


def test_an_item_keeps_k_neighbours_of_equal_ones_the_first() -> None:
    # All three similarities are equal, so items 1 and 2 keep item 0, and item 0 keeps item 1.
    scores = scores_of([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [1, 1, 1]], k=1)
    one = 2 / 3**0.5 / (1 + 2 / 3**0.5)
    assert scores[0].tolist() == pytest.approx([0, one, one])
    assert scores[1].tolist() == pytest.approx([one, 0, 0])
    assert scores[2].tolist() == [0, 0, 0]


def test_without_rows_no_items_are_alike() -> None:
    nobody = np.zeros((2, 3), dtype=bool)
    assert not ItemKNN(histories(nobody), 2, 3, k=2).scores(np.arange(2)).any()


def test_each_neighbourhood_is_as_if_it_were_found_alone() -> None:
    matrix = np.random.default_rng(5).random((40, 23)) < 0.3
    kinds = [Neighbourhood(shrink, k) for k in (2, 7) for shrink in (0.0, 5.0)]
    everyone = np.arange(40)
    scorers = ItemKNN.each(histories(matrix), 40, 23, kinds)
    for scorer, kind in zip(scorers, kinds, strict=True):
        alone = ItemKNN(histories(matrix), 40, 23, k=kind.k, shrink=kind.shrink)
        assert scorer.scores(everyone).equal(alone.scores(everyone))


def test_repeats_and_weights_count_once() -> None:
    frame = events(seed=1)
    catalogue = catalogue_of(frame)
    once = frame.drop_duplicates(["user_id", "item_id"]).assign(weight=np.float32(1))
    sizes = len(catalogue.users), len(catalogue.items)
    everyone = np.arange(sizes[0])
    left, right = (
        ItemKNN(catalogue.encode(rows), *sizes, k=5).scores(everyone) for rows in (frame, once)
    )
    assert left.equal(right)


def test_users_and_items_without_rows_score_nothing() -> None:
    scorer = ItemKNN(histories([[1, 1], [1, 1]]), 4, 6, k=3)
    scores = scorer.scores(np.array([0, 3])).numpy()
    assert scores.shape == (2, 6)
    assert not scores[1].any()
    assert not scores[0, 2:].any()
