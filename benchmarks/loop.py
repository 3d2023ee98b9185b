"""The training step and the evaluation beside the bare matrix products that they cannot do without.

    python -m benchmarks.loop [--threads 2] [--rounds 7]

A training step is one of in-batch softmax at batch 2048 and 64 dimensions, the whole of it:
gathering rows, loss, gradients, optimizer; bare: the three products and the softmax of the same
sizes. The evaluation ranks a catalogue of the size of Gowalla's (29,858 users, 40,981 items) with
all metrics; bare: the blocked product and torch.topk of the same sizes. Both are run in turn; the
medians count.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import pandas as pd
import torch

from twotower.config.training import ModelConfig, TrainConfig
from twotower.data.features import Features
from twotower.data.prepared import Catalogue, Entities
from twotower.data.vocabulary import Vocabulary
from twotower.evaluation.evaluate import evaluate
from twotower.evaluation.holdout import evaluation_set
from twotower.evaluation.ranking import VectorScorer
from twotower.training.device import use_threads
from twotower.training.fit import fit

USERS, ITEMS, ROWS, DIM, BATCH, K = 29_858, 40_981, 810_128, 64, 2048, 20
STEPS = 60


def interactions(seed: int, rows: int) -> pd.DataFrame:
    """Rows of uniform users and items of a long-tailed popularity."""
    rng = np.random.default_rng(seed)
    popularity = 1 / np.arange(1, ITEMS + 1) ** 0.7
    return pd.DataFrame(
        {
            "user_id": rng.integers(0, USERS, rows),
            "item_id": rng.choice(ITEMS, rows, p=popularity / popularity.sum()),
            "weight": np.ones(rows, np.float32),
            "timestamp": np.zeros(rows, np.int64),
        }
    )


def catalogue() -> Catalogue:
    """Ids 0..n - 1, without side features."""
    users, items = (Entities(Vocabulary(pd.Index(range(n))), Features()) for n in (USERS, ITEMS))
    return Catalogue(users, items)


def seconds(run: Callable[[], object]) -> float:
    """Wall time of one call."""
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


def bare_step(query: torch.Tensor, candidate: torch.Tensor) -> None:
    """Logits, softmax, and both gradients."""
    probability = torch.softmax(query @ candidate.T, dim=1)
    probability @ candidate
    probability.T @ query


def bare_ranking(users: torch.Tensor, items: torch.Tensor) -> None:
    """Products and the largest 20 of each row, in the blocks that the evaluation has."""
    block = max(1, min(1024, 2**24 // len(items)))
    for rows in torch.split(users, block):
        torch.topk(rows @ items.T, K)


def compare(name: str, ours: Callable[[], float], bare: Callable[[], float], rounds: int) -> None:
    """Print the medians of both, run in turn, and their ratio."""
    pairs = [(ours(), bare()) for _ in range(rounds)]
    mine, floor = (median(column) for column in zip(*pairs, strict=True))
    print(f"{name:<12} {mine * 1e3:>10.1f} {floor * 1e3:>10.1f} {mine / floor:>6.2f}", flush=True)


def main() -> None:
    """Print a row for the training step and one for the evaluation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    use_threads(arguments.threads)
    everything = catalogue()
    model_config = ModelConfig(dim=DIM, features=False)
    train_config = TrainConfig(batch_size=BATCH, epochs=1, threads=arguments.threads)

    def train(steps: int) -> float:
        rows = everything.encode(interactions(0, BATCH * steps))
        return seconds(lambda: fit(everything, rows, model_config, train_config, seed=1))

    generator = torch.Generator().manual_seed(0)
    query, candidate = (torch.randn(BATCH, DIM, generator=generator) for _ in range(2))
    users = torch.randn(USERS, DIM, generator=generator)
    items = torch.randn(ITEMS, DIM, generator=generator)
    history, held_out = interactions(1, ROWS), interactions(2, ROWS // 4)
    target = evaluation_set(everything, history, held_out, exclude_seen=True)
    scorer = VectorScorer(users.numpy(), items.numpy())
    ranked = users[torch.from_numpy(target.users)]
    print(f"{'':<12} {'ours, ms':>10} {'bare, ms':>10} {'ratio':>6}")
    # Two lengths, so that what comes before the first step cancels out.
    compare(
        "train step",
        lambda: (train(2 * STEPS) - train(STEPS)) / STEPS,
        lambda: seconds(lambda: [bare_step(query, candidate) for _ in range(STEPS)]) / STEPS,
        arguments.rounds,
    )
    compare(
        "evaluation",
        lambda: seconds(lambda: evaluate(scorer, target, (5, 10, K))),
        lambda: seconds(lambda: bare_ranking(ranked, items)),
        arguments.rounds,
    )


if __name__ == "__main__":
    main()
