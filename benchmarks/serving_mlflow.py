"""Requests a second and latencies of the HTTP service, and of MLflow's server of the same model.

    python -m benchmarks.serving_mlflow models:/two-tower@champion [--artifacts .artifacts_best]

For each server and number of users a request, what a closed loop of clients on keep-alive
connections gets. Clients and server share the machine's cores.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.http_load import load, serving
from twotower import Recommender
from twotower.artifacts import ARTIFACTS, Id

BATCHES = (1, 10, 100)
"""Users a request."""
K = 10
CLIENTS = 2


@dataclass(frozen=True)
class Server:
    """A server that is to be measured."""

    name: str
    command: Sequence[str]
    """What follows `python -m`, without the port."""
    health: str
    path: str
    body: Callable[[Sequence[Id]], Any]
    """The JSON of a request for these users."""

    def measure(self, model: Recommender, seconds: float) -> None:
        """Print a row for each number of users a request."""
        rng = np.random.default_rng(2)
        decode = model.artifacts.user_ids.decode
        with serving(self.command, self.health) as server:
            for batch in BATCHES:
                asked = [decode(rng.integers(0, model.num_users, batch)) for _ in range(64)]
                bodies = [json.dumps(self.body(users)).encode() for users in asked]
                load(server.port, self.path, bodies, seconds / 5, CLIENTS)  # warm up
                took = load(server.port, self.path, bodies, seconds, CLIENTS)
                self._report(batch, len(took) / seconds, 1000 * np.array(took))

    def _report(self, batch: int, per_second: float, milliseconds: Any) -> None:
        p50, p99 = np.percentile(milliseconds, [50, 99])
        users = per_second * batch
        print(
            f"{self.name:>8} {batch:>6} {per_second:>11.0f} {users:>9.0f} {p50:>8.2f} {p99:>8.2f}",
            flush=True,
        )


def ours_body(users: Sequence[Id]) -> Any:
    """Body of a request to `twotower serve`."""
    return {"user_ids": list(users), "k": K}


def mlflow_body(users: Sequence[Id]) -> Any:
    """Body of a request to MLflow's server of the registered model."""
    rows = [[user] for user in users]
    return {"dataframe_split": {"columns": ["user_id"], "data": rows}, "params": {"k": K}}


def main() -> None:
    """Measure both servers."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("mlflow", help="URI of the model in MLflow")
    parser.add_argument("--artifacts", type=Path, default=ARTIFACTS, help="the same model's folder")
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement")
    options = parser.parse_args()
    model = Recommender.load(options.artifacts)
    print(f"{'server':>8} {'users':>6} {'requests/s':>11} {'users/s':>9} {'p50, ms':>8} "
          f"{'p99, ms':>8}", flush=True)  # fmt: skip
    ours = ["twotower", "serve", "--artifacts", str(options.artifacts)]
    theirs = ["mlflow", "models", "serve", "-m", options.mlflow, "--env-manager", "local"]
    Server("fastapi", ours, "/health", "/recommend", ours_body).measure(model, options.seconds)
    Server("mlflow", theirs, "/ping", "/invocations", mlflow_body).measure(model, options.seconds)


if __name__ == "__main__":
    main()
