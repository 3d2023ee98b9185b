"""The training step beside the bare matrix products that it cannot do without.

    python -m benchmarks loop

The whole of a step of in-batch softmax counts: gathering rows, loss, gradients, optimizer; bare:
the three products and the softmax of the same sizes. The catalogue is of the size of Gowalla's.
"""

import time
from collections.abc import Callable, Iterator
from functools import partial
from statistics import median

import numpy as np
import pandas as pd
import torch

from benchmarks.measured import Line, Scale
from twotower.config.training import ModelConfig, TrainConfig
from twotower.data.features import Features
from twotower.data.prepared import Catalogue, Entities
from twotower.data.vocabulary import Vocabulary
from twotower.training.device import use_threads
from twotower.training.fit import fit

USERS, ITEMS, ROWS = 29_858, 40_981, 810_128
"""Of Gowalla, its standard split."""
MODEL = ModelConfig(dim=64, features=False)
BATCH = 2048


def lines(scale: Scale) -> Iterator[Line]:
    """One thread, CPU seconds; what comes before the first step cancels out."""
    use_threads(1)
    steps, rounds = (40, 3) if scale == "quick" else (200, 7)
    pairs = [(_our_step(steps), _bare_step(steps)) for _ in range(rounds)]
    ours, bare = (median(column) * 1e3 for column in zip(*pairs, strict=True))
    what = f"training step, batch {BATCH:,}, {MODEL.dim} dimensions"
    yield Line(what, "ms", 1.35, ours, bare, "the bare products and softmax")


def interactions(seed: int, rows: int, users: int = USERS, items: int = ITEMS) -> pd.DataFrame:
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


def catalogue(*counts: int) -> Catalogue:
    """Ids 0..n - 1, without side features.

    Args:
        counts: of users and of items; without, those of Gowalla.
    """
    users, items = (
        Entities(Vocabulary(pd.Index(range(n))), Features()) for n in counts or (USERS, ITEMS)
    )
    return Catalogue(users, items)


def _our_step(steps: int) -> float:
    everything, train = catalogue(), TrainConfig(batch_size=BATCH, epochs=1, device="cpu")

    def seconds(count: int) -> float:
        rows = everything.encode(interactions(0, BATCH * count))
        return _cpu(partial(fit, everything, rows, MODEL, train, seed=1))

    return (seconds(2 * steps) - seconds(steps)) / steps


def _bare_step(steps: int) -> float:
    query, candidate = torch.randn(2, BATCH, MODEL.dim, generator=torch.Generator().manual_seed(0))

    def run() -> None:
        for _ in range(steps):
            probability = torch.softmax(query @ candidate.T, dim=1)
            probability @ candidate
            probability.T @ query

    return _cpu(run) / steps


def _cpu(run: Callable[[], object]) -> float:
    begun = time.process_time()
    run()
    return time.process_time() - begun
