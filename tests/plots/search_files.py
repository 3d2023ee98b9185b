"""Searches of any shape as the two files that the plots read."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twotower.common.files import write_csv, write_json
from twotower.plots.search_files import DrawnSearch, read_search

SPACE: dict[str, Any] = {
    "dim": {"type": "int", "low": 8, "high": 64, "step": 8},
    "lr": {"type": "float", "low": 1e-4, "high": 0.1, "log": True},
    "batch_size": {"type": "categorical", "choices": [128, 256, 512]},
    "loss": {"type": "categorical", "choices": ["softmax", "mse"]},
}


@dataclass(frozen=True)
class Files:
    """The two inputs in a folder of their own."""

    folder: Path

    @property
    def results(self) -> Path:
        return self.folder / "hpo_results.json"

    @property
    def trials(self) -> Path:
        return self.folder / "metrics" / "hpo_trials.csv"

    def read(self) -> DrawnSearch:
        return read_search(self.results, self.trials)


def trial(value: float | None, state: str = "COMPLETE", **params: Any) -> dict[str, Any]:
    """Row of the table, without its number."""
    failure = "TrainingError: the loss is not finite" if state == "FAIL" else None
    named = {f"params_{name}": value for name, value in params.items()}
    return {"state": state, "value": value, "failure": failure, **named}


def random_trials(count: int) -> list[dict[str, Any]]:
    """Complete trials over SPACE whose value depends on lr."""
    rng = random.Random(7)  # noqa: S311 - not a secret
    rows = []
    for _ in range(count):
        lr = 10 ** rng.uniform(-4, -1)
        value = 0.1 * math.exp(-((math.log10(lr) + 2) ** 2)) + rng.uniform(0, 0.01)
        dim, batch_size = rng.randrange(8, 65, 8), rng.choice([128, 256, 512])
        rows.append(trial(value, lr=lr, dim=dim, batch_size=batch_size, loss="softmax"))
    return rows


def write_search(
    folder: Path,
    rows: Sequence[dict[str, Any]],
    space: dict[str, Any] | None = None,
    **changes: Any,
) -> Files:
    """Write both files as the search stage does; `changes` replaces keys of the results."""
    space = SPACE if space is None else space
    rows = [{"number": number, **row} for number, row in enumerate(rows)]
    complete = [row for row in rows if row["state"] == "COMPLETE"]
    best = max(complete, key=lambda row: (row["value"], -row["number"]), default=None)
    results = {
        "best_trial": best and {"number": best["number"], "value": best["value"]},
        "complete": True,
        "objective": "recall_at_10",
        "direction": "maximize",
        "search_space": space,
        "include_defaults": True,
        "random": {"recall_at_10": 0.03},
        "num_users": 512,
        "split": "validation",
    }
    files = Files(folder)
    columns = ["number", "state", "value", *(f"params_{name}" for name in sorted(space)), "failure"]
    write_json(files.results, results | changes)
    write_csv(files.trials, columns, rows)
    return files
