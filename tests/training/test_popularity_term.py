import math

import numpy as np
import pytest

from tests.training.test_fit import CATALOGUE, ROWS
from twotower.config.training import ModelConfig, TrainConfig
from twotower.data.interactions import Interactions
from twotower.training.fit import fit
from twotower.training.popularity_term import popularity_addend

ITEMS = Interactions(
    np.array([0, 0, 1, 1]),
    np.array([0, 2, 2, 0]),
    np.array([1.0, 4.0, 4.0, 1.0], np.float32),
    np.zeros(4, np.int64),
)


def test_none_without_a_weight() -> None:
    assert popularity_addend(ITEMS, 3, ModelConfig()) is None


@pytest.mark.parametrize(("similarity", "unit"), [("dot", 1.0), ("cosine", 0.2)])
def test_by_hand(similarity, unit) -> None:
    """Totals 2, 0 and 8: the item without rows counts as the rarest, 2."""
    config = ModelConfig(popularity_weight=0.5, similarity=similarity, temperature=0.2)
    logs = [math.log(2), math.log(2), math.log(8)]
    expected = [0.5 * unit * (value - sum(logs) / 3) for value in logs]
    assert popularity_addend(ITEMS, 3, config).tolist() == pytest.approx(expected)


@pytest.mark.parametrize("init", ["random", "spectral", "ridge"])
def test_a_heavy_weight_ranks_by_popularity(init) -> None:
    config = ModelConfig(dim=8, init=init, popularity_weight=1000.0)
    model = fit(CATALOGUE, ROWS, config, TrainConfig(epochs=1), seed=1)
    users, items = model.vectors()
    totals = np.bincount(ROWS.item_idx, ROWS.weight, len(CATALOGUE.items))
    ranking = np.argsort(-(items @ users[0]))
    assert (np.diff(totals[ranking]) <= 0).all()


def test_training_does_not_see_it() -> None:
    towers = [
        fit(CATALOGUE, ROWS, config, TrainConfig(epochs=1), seed=1).vectors()[0]
        for config in (ModelConfig(dim=8), ModelConfig(dim=9, popularity_weight=0.3))
    ]
    assert np.array_equal(towers[0], towers[1][:, :-1])


def test_one_dimension_is_not_enough() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        ModelConfig(dim=1, popularity_weight=0.3)
