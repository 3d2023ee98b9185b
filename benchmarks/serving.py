"""What an answer of the service costs beside the bare product, and all users' beside implicit.

    python -m benchmarks serving

On random vectors of Gowalla's size; then indexes of larger catalogues, see `benchmarks.indexes`.
"""

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks import indexes
from benchmarks.http_load import PROCESSES, Running, load, serving
from benchmarks.measured import Cost, Line, Scale, in_turn, missing, timed
from benchmarks.random_data import GOWALLA, catalogue
from twotower import Recommender
from twotower.artifacts import write_artifacts
from twotower.data.interactions import Interactions
from twotower.serving.batch import BatchJob, write_batch

SIZE = *GOWALLA[:2], 64
"""Users and items of Gowalla, and dimensions."""
HISTORY = 20
"""Rows a user of a random model."""
K = 10
BATCH_K = 20
SECONDS = 2.0
"""Of each measurement of a server."""
CLIENTS = 4
ASKED = 256
"""Different requests."""


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
    model: Any = RandomTowers(users, items, dim)
    meta = {"model": {"similarity": "cosine"}}
    write_artifacts(folder, model, catalogue(users, items), rows, meta)
    return folder


def lines(scale: Scale) -> Iterator[Line]:
    """Requests of one user, workers, all users at once, and indexes."""
    with tempfile.TemporaryDirectory() as name:
        folder = random_model(Path(name) / "model", *SIZE)
        model = Recommender.load(folder)
        with threadpool_limits(1, user_api="blas"):
            yield from _requests(folder, model)
            yield _batch(model, Path(name) / "all.parquet")
    yield from indexes.lines_of(scale)


def _requests(folder: Path, model: Recommender) -> Iterator[Line]:
    users, items, dim = SIZE
    what = f"a request of one user, {users:,} users, {items:,} items, {dim} dimensions"
    asked = np.random.default_rng(2).integers(0, users, ASKED)
    bodies = [json.dumps({"user_ids": [user], "k": K}).encode() for user in asked.tolist()]
    note = missing("fastapi", "fastapi_offline", "uvicorn")
    if not PROCESSES.is_dir():
        note = "read from /proc, which is Linux's"
    if note:
        yield Line(what, "ms of CPU", 2.5, note=note)
        return
    command = ["twotower", "serve", "--artifacts", str(folder), "--mmap", "--poll", "0"]
    with ExitStack() as stack:
        one, two = (
            stack.enter_context(serving([*command, "--workers", str(number)], "/health"))
            for number in (1, 2)
        )
        for server in (one, two):  # also a new worker's first requests
            load(server.port, "/recommend", bodies, SECONDS, CLIENTS)
        found = in_turn(
            {
                "bare": partial(timed, partial(_product, model, asked), ASKED),
                "one": partial(_served, one, bodies),
                "two": partial(_served, two, bodies),
            }
        )
    costs = {name: 1000 * cost.cpu for name, cost in found.items()}
    yield Line(what, "ms of CPU", 2.5, costs["one"], costs["bare"], "product, argpartition")
    walls = [1000 * found[name].wall for name in ("two", "one")]
    rates = " and ".join(f"{1000 / wall:,.0f}" for wall in walls)
    yield Line(
        f"the same with two workers, {CLIENTS} clients", "ms", 0.6, *walls, "one worker",
        note=f"{rates} requests a second; the clients share the cores",
    )  # fmt: skip


def _served(server: Running, bodies: Sequence[bytes]) -> Cost:
    """Of one request, the processor's time of the server alone."""
    begun, before = time.perf_counter(), server.cpu()
    count = len(load(server.port, "/recommend", bodies, SECONDS, CLIENTS))
    return Cost((time.perf_counter() - begun) / count, (server.cpu() - before) / count, 0)


def _product(model: Recommender, users: np.ndarray) -> None:
    """The best items of each user, one after the other, and nothing else."""
    items = model.artifacts.item_vecs
    for user in users:
        scores = items @ model.artifacts.user_vecs[user]
        best = np.argpartition(scores, len(scores) - K)[-K:]
        best[np.argsort(-scores[best])]


def _batch(model: Recommender, out: Path) -> Line:
    """All users into a file, beside implicit's top-k of the same vectors, without a file."""
    what = f"all users to Parquet, k {BATCH_K}"
    if note := missing("implicit"):
        return Line(what, "s of CPU", 1.0, note=note)
    from implicit.cpu.topk import topk
    from scipy.sparse import csr_matrix

    seen, shape = model.artifacts.seen, SIZE[:2]
    ones = np.ones(len(seen.items), np.float32)
    history = csr_matrix((ones, seen.items.astype(np.int32), seen.offsets.astype(np.int32)), shape)
    job = BatchJob(model.artifacts.user_ids, k=BATCH_K)
    vectors = [np.array(model.artifacts.item_vecs), np.array(model.artifacts.user_vecs)]
    theirs = partial(topk, *vectors, BATCH_K, filter_query_items=history, num_threads=1)
    found = in_turn(
        {
            "ours": partial(timed, partial(write_batch, model, job, out)),
            "implicit": partial(timed, theirs),
        }
    )
    costs = [found[name].cpu for name in ("ours", "implicit")]
    return Line(what, "s of CPU", 1.0, *costs, "implicit's top-k, no file")
