"""The users and items of two times, and models of them."""

from typing import Any

import numpy as np
import pandas as pd
import torch

from twotower.config.training import ModelConfig
from twotower.data.dense import Vector
from twotower.data.features import Categorical, Features, MultiValued, Numeric
from twotower.data.interactions import Interactions
from twotower.data.prepared import Catalogue, Entities
from twotower.data.vocabulary import Vocabulary
from twotower.training.history import History
from twotower.training.sequences import Sequences
from twotower.training.towers import TwoTower

TURN = np.array([[0.6, 0.8], [-0.8, 0.6]], np.float32)
"""By which the later vectors of side feature `look` are turned."""
LOOK = np.array([[1, 0], [0, 1], [0.6, 0.8], [0, 0]], np.float32)


def entities(ids: list[Any], **columns: Any) -> Entities:
    return Entities(Vocabulary(pd.Index(ids)), Features(dict(sorted(columns.items()))))


def earlier() -> Catalogue:
    """Items 10 to 40; the last has no colour, tag or look."""
    return Catalogue(
        entities([1, 2, 3]),
        entities(
            [10, 20, 30, 40],
            colour=Categorical(np.array([1, 2, 1, 0]), ("blue", "red")),
            price=Numeric(np.array([-1, 0.5, 1, 0], np.float32), mean=10.0, std=4.0),
            tags=MultiValued(np.array([1, 2, 2]), np.array([0, 2, 3, 3, 3]), ("a", "b")),
            look=Vector(LOOK, normalise=True, scale=1.0),
        ),
    )


def later() -> Catalogue:
    """Item 50 and user 9 come before the others; there is a new colour, tag and scale."""
    looks = np.concatenate([[[1, 0]], LOOK]).astype(np.float32) @ TURN
    return Catalogue(
        entities([9, 1, 2, 3]),
        entities(
            [50, 10, 20, 30, 40],
            colour=Categorical(np.array([1, 2, 3, 2, 0]), ("amber", "blue", "red")),
            price=Numeric(np.array([3, -2, 1, 2, 0], np.float32), mean=10.0, std=2.0),
            tags=MultiValued(np.array([1, 2, 3, 3]), np.array([0, 1, 3, 4, 4, 4]), ("0", "a", "b")),
            look=Vector(looks, normalise=True, scale=1.0),
        ),
    )


def rows(catalogue: Catalogue) -> Interactions:
    """Every user has every second item."""
    users, items = len(catalogue.users), len(catalogue.items)
    pairs = [(u, i) for u in range(users) for i in range(u % 2, items, 2)]
    user_idx, item_idx = np.array(pairs, np.int64).T
    return Interactions(
        user_idx, item_idx, np.ones(len(pairs), np.float32), np.arange(len(pairs), dtype=np.int64)
    )


def towers(catalogue: Catalogue, config: ModelConfig, seed: int = 0) -> TwoTower:
    """A model with random weights."""
    torch.manual_seed(seed)
    sizes = len(catalogue.users), len(catalogue.items)
    history = History.of(rows(catalogue), *sizes, config) if config.pools_history else None
    popularity = np.linspace(0, 1, sizes[1], dtype=np.float32)
    sequences = Sequences.of(rows(catalogue), *sizes) if config.reads_sequence else None
    return TwoTower(catalogue, config, history, popularity, sequences).eval()
