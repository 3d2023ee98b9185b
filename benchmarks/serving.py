"""Requests a second and latencies of the HTTP service, and of MLflow's server, on loopback.

    python -m benchmarks.serving [--artifacts .artifacts_best] [--seconds 5] [--clients 2]
    python -m benchmarks.serving --items 1000000 --users 1000000 --dim 64   # random vectors
    python -m benchmarks.serving --mlflow models:/two-tower@champion        # beside MLflow's server

First the seconds to open the model and to the first answers, in this process. Then, for each server
and each number of users a request, what a closed loop of clients on keep-alive connections gets.
Clients and server share the machine's cores.
"""

import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from twotower import Recommender
from twotower.artifacts import ARTIFACTS, Id, write_artifacts
from twotower.data.features import Features
from twotower.data.interactions import Interactions
from twotower.data.prepared import Catalogue, Entities
from twotower.data.vocabulary import Vocabulary

BATCHES = (1, 10, 100)
"""Users a request."""
K = 10
STARTING = 180
"""Seconds that a server gets to start."""
HISTORY = 20
"""Rows a user of a random model."""


class RandomTowers:
    """Vectors of length 1, at random."""

    def __init__(self, users: int, items: int, dim: int) -> None:
        rng = np.random.default_rng(0)
        vectors = [rng.normal(size=(n, dim)).astype(np.float32) for n in (users, items)]
        self._vectors = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in vectors]

    def vectors(self) -> tuple[np.ndarray, np.ndarray]:
        """See `TwoTower.vectors`."""
        return self._vectors[0], self._vectors[1]

    def history_item_vectors(self) -> None:
        """No tower that pools histories."""

    def state_dict(self) -> dict[str, Any]:
        """No weights."""
        return {}


def random_model(folder: Path, users: int, items: int, dim: int) -> Path:
    """Write the folder of a model of this size."""
    rng = np.random.default_rng(1)
    user_idx = np.repeat(np.arange(users), HISTORY)
    rows = Interactions(user_idx, rng.integers(0, items, len(user_idx)),
                        np.ones(len(user_idx), np.float32), np.zeros_like(user_idx))  # fmt: skip
    catalogue = Catalogue(
        *(
            Entities(Vocabulary(pd.RangeIndex(n).astype(np.int64)), Features())
            for n in (users, items)
        )
    )
    model: Any = RandomTowers(users, items, dim)
    write_artifacts(folder, model, catalogue, rows, {"model": {"similarity": "cosine"}})
    return folder


def opening(folder: Path) -> Recommender:
    """Print how long it takes to open the model, and to answer."""
    began = time.perf_counter()
    model = Recommender.load(folder)
    print(f"open the model: {time.perf_counter() - began:.4f} s")
    for which in ("first", "second"):
        began = time.perf_counter()
        model.recommend(model.artifacts.user_ids.decode(np.array([0])), K)
        print(f"{which} answer: {time.perf_counter() - began:.4f} s")
    return model


@contextmanager
def serving(command: Sequence[str], health: str) -> Iterator[int]:
    """Run a server, which gets `--port`; the port, when it is healthy."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    variables = {**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    arguments = [sys.executable, "-m", *command, "--port", str(port)]
    with subprocess.Popen(
        arguments, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        try:
            wait_for(port, health, process)
            yield port
        finally:
            process.terminate()


def wait_for(port: int, health: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until the server answers at the path `health`."""
    give_up = time.monotonic() + STARTING
    while process.poll() is None and time.monotonic() < give_up:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", health)
            if connection.getresponse().status == 200:
                return
        except OSError:
            time.sleep(0.1)
    sys.exit("error: the server did not start")


def load(
    port: int, path: str, bodies: Sequence[bytes], seconds: float, clients: int
) -> list[float]:
    """Seconds that each request took, of clients that ask again as soon as they are answered."""
    took: list[float] = []
    failures: list[str] = []
    end = time.monotonic() + seconds

    def client(start: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        turn = start
        while time.monotonic() < end and not failures:
            began = time.perf_counter()
            connection.request("POST", path, bodies[turn % len(bodies)],
                               {"content-type": "application/json"})  # fmt: skip
            answer = connection.getresponse()
            text = answer.read()
            took.append(time.perf_counter() - began)
            if answer.status != 200:
                failures.append(f"{answer.status}: {text[:300].decode()}")
            turn += clients

    threads = [threading.Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        sys.exit(f"error: {path} answered {failures[0]}")
    return took


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

    def measure(self, model: Recommender, options: argparse.Namespace) -> None:
        """Print a row for each number of users a request."""
        rng = np.random.default_rng(2)
        decode = model.artifacts.user_ids.decode
        with serving([*self.command, "--workers", str(options.workers)], self.health) as port:
            for batch in BATCHES:
                asked = [decode(rng.integers(0, model.num_users, batch)) for _ in range(64)]
                bodies = [json.dumps(self.body(users)).encode() for users in asked]
                load(port, self.path, bodies, options.seconds / 5, options.clients)  # warm up
                took = load(port, self.path, bodies, options.seconds, options.clients)
                self._report(batch, len(took) / options.seconds, 1000 * np.array(took))

    def _report(self, batch: int, per_second: float, milliseconds: Any) -> None:
        p50, p99 = np.percentile(milliseconds, [50, 99])
        users = per_second * batch
        print(
            f"{self.name:>8} {batch:>6} {per_second:>11.0f} {users:>9.0f} {p50:>8.2f} {p99:>8.2f}",
            flush=True,
        )


def compare(folder: Path, options: argparse.Namespace) -> None:
    """Measure each server."""
    model = opening(folder)
    print(f"{'server':>8} {'users':>6} {'requests/s':>11} {'users/s':>9} {'p50, ms':>8} "
          f"{'p99, ms':>8}", flush=True)  # fmt: skip
    ours = ["twotower", "serve", "--artifacts", str(folder)]
    Server("fastapi", ours, "/health", "/recommend", ours_body).measure(model, options)
    if options.mlflow is not None:
        theirs = ["mlflow", "models", "serve", "-m", options.mlflow, "--env-manager", "local"]
        Server("mlflow", theirs, "/ping", "/invocations", mlflow_body).measure(model, options)


def ours_body(users: Sequence[Id]) -> Any:
    """Body of a request to `twotower serve`."""
    return {"user_ids": list(users), "k": K}


def mlflow_body(users: Sequence[Id]) -> Any:
    """Body of a request to MLflow's server of the registered model."""
    rows = [[user] for user in users]
    return {"dataframe_split": {"columns": ["user_id"], "data": rows}, "params": {"k": K}}


def main() -> None:
    """Measure a model folder, or a random model of the size that is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--artifacts", type=Path, default=ARTIFACTS)
    parser.add_argument("--users", type=int, default=100_000, help="of the random model")
    parser.add_argument("--items", type=int, help="of a random model, instead of --artifacts")
    parser.add_argument("--dim", type=int, default=64, help="of the random model")
    parser.add_argument("--seconds", type=float, default=5, help="of each measurement")
    parser.add_argument("--clients", type=int, default=2)
    parser.add_argument("--workers", type=int, default=1, help="processes of each server")
    parser.add_argument("--mlflow", help="URI of the same model in MLflow, for its own server")
    options = parser.parse_args()
    if options.items is None:
        compare(options.artifacts, options)
        return
    with tempfile.TemporaryDirectory() as name:
        size = options.users, options.items, options.dim
        compare(random_model(Path(name) / "model", *size), options)


if __name__ == "__main__":
    main()
