"""The least that a search costs: its libraries, and its trials as plain loops over tensors.

    python -m benchmarks.bare_trials INTERACTIONS.csv hpo_results.json

Trains and ranks every trial of a finished search, with nothing around it: embeddings of ids and a
softmax over the batch, or a ridge regression in closed form; then one product of all users and
items. Prints the seconds that this took; the rest of the process is the start of its libraries.
"""

import argparse
import json
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from twotower.training.optimizer import Adam

STARTED = ("optuna", "sqlalchemy", "pyarrow.parquet", "sklearn.utils.extmath")
"""What a search needs besides torch and pandas: sampler, database, files, decompositions."""
DEFAULTS = {"init": "random", "dim": 32, "lr": 0.003, "epochs": 5, "batch_size": 256}
TEMPERATURE = 0.1
K = 20


def embedded(rows: Tensor, shape: tuple[int, int], params: dict[str, Any]) -> Tensor:
    """[users, items] scores of trained embeddings."""
    tables = [torch.randn(size, params["dim"]).requires_grad_() for size in shape]
    optimizer = Adam(tables, params["lr"])
    for _ in range(params["epochs"]):
        for batch in torch.randperm(len(rows)).split(params["batch_size"]):
            query, candidate = (
                normalize(table[idx]) for table, idx in zip(tables, rows[batch].T, strict=True)
            )
            logits = query @ candidate.T / TEMPERATURE
            for table in tables:
                table.grad = None
            cross_entropy(logits, torch.arange(len(batch))).backward()
            optimizer.step()
    return (normalize(tables[0]) @ normalize(tables[1]).T).detach()


def regressed(rows: Tensor, shape: tuple[int, int], params: dict[str, Any]) -> Tensor:
    """[users, items] scores of a ridge regression, cut to the width of the trial."""
    counts = torch.zeros(shape)
    counts[rows[:, 0], rows[:, 1]] = 1
    gram = counts.T @ counts
    vectors = torch.linalg.eigh(gram)[1][:, -params["closed_form_dim"] :]
    penalty = params["ridge_penalty"] * torch.eye(shape[1])
    return counts @ (torch.linalg.solve(gram + penalty, gram) @ vectors @ vectors.T)


def main() -> None:
    """Print the seconds of the trials."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("interactions", type=Path)
    parser.add_argument("results", type=Path)
    arguments = parser.parse_args()
    for name in STARTED:
        import_module(name)
    torch.set_num_threads(1)
    frame = pd.read_csv(arguments.interactions)
    columns = [torch.from_numpy(pd.factorize(frame[name])[0]) for name in ("user_id", "item_id")]
    rows = torch.stack(columns, dim=1)
    shape = (int(rows[:, 0].max()) + 1, int(rows[:, 1].max()) + 1)
    trials = json.loads(arguments.results.read_text(encoding="utf-8"))["trials"]
    began = time.perf_counter()
    for trial in trials:
        params = DEFAULTS | trial["params"]
        scores = (regressed if params["init"] == "ridge" else embedded)(rows, shape, params)
        scores[rows[:, 0], rows[:, 1]] = -torch.inf
        scores.topk(K, dim=1)
    print(time.perf_counter() - began)


if __name__ == "__main__":
    main()
