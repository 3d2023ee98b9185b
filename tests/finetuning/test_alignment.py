import numpy as np
import pytest

from tests.finetuning.catalogues import earlier, towers
from twotower.config.training import ModelConfig
from twotower.finetuning.alignment import align, rotation_to


def turn(dim: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(3).normal(size=(dim, dim)))[0].astype(np.float32)


def test_a_rotation_is_found_again() -> None:
    vectors = np.random.default_rng(1).normal(size=(20, 3)).astype(np.float32)
    rotation = turn(3)
    assert np.allclose(rotation_to(vectors @ rotation.T, vectors), rotation, atol=1e-6)


def test_by_hand() -> None:
    # A quarter turn: (1, 0) becomes (0, 2) up to its length, and (0, 1) becomes (-1, 0).
    found = rotation_to(np.eye(2, dtype=np.float32), np.array([[0, 2], [-1, 0]], np.float32))
    assert np.allclose(found, [[0, 1], [-1, 0]])


def test_nothing_in_common_turns_nothing() -> None:
    assert np.array_equal(rotation_to(np.empty((0, 2)), np.empty((0, 2))), np.eye(2))


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"hidden": (6,)},
        {"user_tower": "both", "similarity": "dot"},
        {"init": "ridge", "user_tower": "history", "similarity": "dot"},
        {"user_tower": "history", "hidden": (5,), "popularity_weight": 0.1},
    ],
)
def test_scores_stay_and_vectors_come_to_lie_on_the_earlier_ones(settings: dict) -> None:
    model = towers(earlier(), ModelConfig(dim=4, **settings))
    users, items = model.vectors()
    width = model.item_tower.dim
    wanted = items[:, :width] @ turn(width)
    align(model, items[:, :width], wanted)
    new_users, new_items = model.vectors()
    assert np.allclose(new_items[:, :width], wanted, atol=1e-5)
    assert np.allclose(new_users @ new_items.T, users @ items.T, atol=1e-5)
    assert not np.allclose(new_users, users, atol=1e-2)


def test_a_sequence_tower_stays_as_it_is() -> None:
    model = towers(earlier(), ModelConfig(dim=4, user_tower="sequence"))
    users, items = model.vectors()
    align(model, items, items @ turn(4))
    assert np.array_equal(model.vectors()[0], users)
