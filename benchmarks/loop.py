"""The training step beside the bare matrix products that it cannot do without.

    python -m benchmarks loop

The whole of a step of in-batch softmax counts: gathering rows, loss, gradients, optimizer; bare:
the three products and the softmax of the same sizes. The catalogue is of the size of Gowalla's.
"""

from collections.abc import Iterator
from functools import partial
from statistics import median

import torch

from benchmarks.measured import Line, Scale, timed
from benchmarks.random_data import GOWALLA, catalogue, interactions
from twotower.config.training import ModelConfig, TrainConfig
from twotower.training.device import use_threads
from twotower.training.fit import fit

USERS, ITEMS, _ = GOWALLA
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


def _our_step(steps: int) -> float:
    everything = catalogue(USERS, ITEMS)
    train = TrainConfig(batch_size=BATCH, epochs=1, device="cpu")

    def seconds(count: int) -> float:
        rows = everything.encode(interactions(USERS, ITEMS, BATCH * count))
        return timed(partial(fit, everything, rows, MODEL, train, seed=1)).cpu

    return (seconds(2 * steps) - seconds(steps)) / steps


def _bare_step(steps: int) -> float:
    query, candidate = torch.randn(2, BATCH, MODEL.dim, generator=torch.Generator().manual_seed(0))

    def run() -> None:
        for _ in range(steps):
            probability = torch.softmax(query @ candidate.T, dim=1)
            probability @ candidate
            probability.T @ query

    return timed(run, steps).cpu
