"""Interactions and catalogues at random, of any size."""

import numpy as np
import pandas as pd

from twotower.data.features import Features
from twotower.data.prepared import Catalogue, Entities
from twotower.data.vocabulary import Vocabulary

GOWALLA = (29_858, 40_981, 810_128)
"""Users, items and training rows of its standard split."""


def interactions(users: int, items: int, rows: int, seed: int = 0) -> pd.DataFrame:
    """Rows of uniform users and items of a long-tailed popularity."""
    rng = np.random.default_rng(seed)
    popularity = 1 / np.arange(1, items + 1) ** 0.7
    return pd.DataFrame(
        {
            "user_id": rng.integers(0, users, rows),
            "item_id": rng.choice(items, rows, p=popularity / popularity.sum()),
            "weight": np.ones(rows, np.float32),
            "timestamp": np.zeros(rows, np.int64),
        }
    )


def catalogue(users: int, items: int) -> Catalogue:
    """Ids 0..n - 1, without side features."""
    return Catalogue(*(Entities(Vocabulary(pd.Index(np.arange(n))), Features())
                       for n in (users, items)))  # fmt: skip
