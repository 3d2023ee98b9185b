"""Searches of any shape as the file that the plots read."""

import math
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from twotower.common.files import write_csv, write_json
from twotower.search.trial import RESULTS_VERSION

SPACE: dict[str, Any] = {
    "dim": {"type": "int", "low": 8, "high": 64, "step": 8},
    "lr": {"type": "float", "low": 1e-4, "high": 0.1, "log": True},
    "batch_size": {"type": "categorical", "choices": [128, 256, 512]},
    "loss": {"type": "categorical", "choices": ["softmax", "mse"]},
}


def trial(value: float | None, state: str = "COMPLETE", **params: Any) -> dict[str, Any]:
    """A trial of the results, without its number."""
    failure = "TrainingError: the loss is not finite" if state == "FAIL" else None
    return {"state": state, "value": value, "failure": failure, "params": params}


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
) -> Path:
    """Write the results as the search stage does; `changes` replaces keys."""
    trials = [{"number": number, **row} for number, row in enumerate(rows)]
    complete = [trial for trial in trials if trial["state"] == "COMPLETE"]
    best = max(complete, key=lambda trial: (trial["value"], -trial["number"]), default=None)
    results = {
        "best_trial": best and {"number": best["number"], "value": best["value"]},
        "complete": True,
        "objective": "recall_at_10",
        "format_version": RESULTS_VERSION,
        "search_space": SPACE if space is None else space,
        "include_defaults": True,
        "random": {"recall_at_10": 0.03},
        "num_users": 512,
        "split": "validation",
        "trials": trials,
    }
    path = folder / "hpo_results.json"
    write_json(path, results | changes)
    return path


def write_trials(path: Path, rows: Sequence[dict[str, Any]], cutoff: int = 10) -> Path:
    """Write the table of the same trials; the more of the objective, the less Coverage."""
    key = f"metrics_coverage_at_{cutoff}"
    cells = [
        {"number": number, key: None if row["value"] is None else 0.9 - row["value"]}
        for number, row in enumerate(rows)
    ]
    write_csv(path, ["number", key], cells)
    return path


def of_objectives(
    rows: Sequence[tuple[float, ...]], directions: dict[str, str], **choice: Any
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Trials of several objectives, and the keys of the results that say so; the first is chosen.

    Every trial is on the front.
    """
    rng = random.Random(3)  # noqa: S311 - not a secret
    trials = [
        trial(values[0], lr=10 ** rng.uniform(-4, -1), loss="softmax") | {"values": list(values)}
        for values in rows
    ]
    best_first = sorted(range(len(rows)), key=lambda number: -rows[number][0])
    front = [{"number": n, "values": list(rows[n]), "allowed": n < 3} for n in best_first]
    keys = {
        "objectives": [{"metric": name, "direction": way} for name, way in directions.items()],
        "front": front,
        "choice": {"keep": None, "limits": {}, "weights": {}} | choice,
        "best_trial": {"number": 0, "value": rows[0][0]},
    }
    return trials, keys
