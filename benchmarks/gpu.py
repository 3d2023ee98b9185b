"""Training, evaluation and starts on a GPU, beside bare loops, at the sizes of Gowalla.

    python -m benchmarks.gpu [--device cuda] [--scale full]

One prepared script of a few minutes, for a GPU that is at hand for that long. With `--device cpu
--scale small` it runs on one thread of a CPU, which shows only that it would run.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from statistics import median

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from benchmarks.measured import Line, Scale
from benchmarks.random_data import GOWALLA, catalogue, interactions
from twotower.config.training import ModelConfig, TrainConfig
from twotower.data.interactions import Interactions
from twotower.evaluation.evaluate import evaluate
from twotower.evaluation.holdout import evaluation_set
from twotower.evaluation.ranking import VectorScorer
from twotower.training.device import use_threads
from twotower.training.fit import fit
from twotower.training.history import History
from twotower.training.ridge import ridge_items
from twotower.training.spectral import decompose_on_device

USERS, ITEMS, ROWS = GOWALLA
K = 20
CONFIG = ModelConfig(features=False)
NOT_RUN = "no CUDA device"
SAMPLE = 256
"""Batch and number of steps of an epoch of small data, as the sample's."""


@dataclass(frozen=True)
class Sizes:
    """Of what is measured; each batch and width with its aim."""

    rows: int
    batches: dict[int, float]
    widths: tuple[int, ...]
    ranks: tuple[int, ...]
    ridge: int


FULL = Sizes(ROWS, {2048: 2.0, 16384: 1.5}, (64, 2048), (512, 2048), 512)
SMALL = Sizes(20_000, {512: 2.0}, (16,), (16,), 16)


def lines(scale: Scale) -> Iterator[Line]:  # noqa: ARG001 - a GPU is quick at full size
    """On a GPU; without one, what was not run."""
    if torch.cuda.is_available():
        yield from measure("cuda", FULL)
        return
    for what, aim in (
        *((f"GPU: epoch, batch {batch:,}", aim) for batch, aim in FULL.batches.items()),
        *((f"GPU: evaluation, {width:,} dimensions", 3.0) for width in FULL.widths),
        *((f"GPU: SVD of rank {rank:,}", 3.0) for rank in FULL.ranks),
        (f"GPU: ridge regression of {FULL.ridge} dimensions", 0.33),
        ("GPU: epoch of small data, auto", 1.1),
    ):
        yield Line(what, "times the limit", aim, note=NOT_RUN)


def measure(device: str, sizes: Sizes) -> Iterator[Line]:
    """All lines.

    Raises:
        RuntimeError: after all others, if some could not be measured.
    """
    use_threads(1)
    rows = _encoded(sizes.rows)
    failed = []
    for part in (_training, _evaluation, _decompositions, _regression, _small):
        try:
            yield from part(rows, device, sizes)
        except RuntimeError as error:  # of CUDA, whose machine may not be at hand for long
            failed.append(error)
    if failed:
        raise failed[0]


def _training(rows: Interactions, device: str, sizes: Sizes) -> Iterator[Line]:
    for batch, aim in sizes.batches.items():
        ours, loop = _epoch(rows, 64, batch, device), BareLoop(rows, 64, batch, device)
        eager = _seconds(loop.epoch, device)
        graph = _seconds(loop.recorded(), device) if device == "cuda" else eager
        note = f"the bare loop without a graph {eager:.2f} s"
        what = f"GPU: epoch, batch {batch:,}"
        yield Line(what, "s", aim, ours, graph, "a bare loop as a CUDA graph", note)


def _small(_: Interactions, device: str, __: Sizes) -> Iterator[Line]:
    small = _encoded(SAMPLE * SAMPLE // 4, seed=3)
    times = {kind: _epoch(small, 32, SAMPLE, kind) for kind in ("cpu", device, "auto")}
    note = ", ".join(f"{kind} {seconds:.2f} s" for kind, seconds in times.items())
    best = min(times["cpu"], times[device])
    yield Line("GPU: epoch of small data, auto", "s", 1.1, times["auto"], best, "the better", note)


def _encoded(count: int, seed: int = 0) -> Interactions:
    return catalogue(USERS, ITEMS).encode(interactions(USERS, ITEMS, count, seed))


def _epoch(rows: Interactions, dim: int, batch: int, device: str) -> float:
    """Seconds of an epoch, the first left out."""
    ends: list[float] = []

    def end(*_: object) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        ends.append(time.perf_counter())

    model = ModelConfig(dim=dim, features=False)
    train = TrainConfig(batch_size=batch, epochs=4, device=device)
    fit(catalogue(USERS, ITEMS), rows, model, train, seed=1, on_epoch=end)
    return median(np.diff(ends))


class BareLoop:
    """In-batch softmax on two dense tables with torch's fused Adam, written for speed alone."""

    def __init__(self, rows: Interactions, dim: int, batch: int, device: str) -> None:
        self.tables = [torch.randn(n, dim, device=device) for n in (USERS, ITEMS)]
        for table in self.tables:
            table.requires_grad_()
        capturable = device == "cuda"
        self.adam = torch.optim.Adam(self.tables, lr=1e-3, fused=True, capturable=capturable)
        idx = (rows.user_idx, rows.item_idx)
        self.users, self.items = (torch.from_numpy(column).to(device) for column in idx)
        self.batch = batch
        self.positive = torch.arange(batch, device=device)
        self.now = torch.zeros(2, batch, dtype=torch.int64, device=device)

    def step(self) -> None:
        """On the rows that are in `now`."""
        self.adam.zero_grad()
        user, item = (
            torch.nn.functional.normalize(table.index_select(0, idx), dim=1)
            for table, idx in zip(self.tables, self.now, strict=True)
        )
        loss = torch.nn.functional.cross_entropy(user @ item.T / 0.1, self.positive)
        loss.backward()  # type: ignore[no-untyped-call]
        self.adam.step()

    def epoch(self, step: Callable[[], None] | None = None) -> None:
        """All whole batches once."""
        order = torch.randperm(len(self.users), device=self.users.device)
        for rows in torch.split(order, self.batch):
            if len(rows) == self.batch:
                torch.stack([self.users[rows], self.items[rows]], out=self.now)
                (step or self.step)()

    def recorded(self) -> Callable[[], None]:
        """An epoch whose step is a CUDA graph."""
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(3):
                self.step()
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.step()
        return lambda: self.epoch(graph.replay)


def _evaluation(_: Interactions, device: str, sizes: Sizes) -> Iterator[Line]:
    seen = interactions(USERS, ITEMS, sizes.rows)
    held_out = interactions(USERS, ITEMS, sizes.rows // 4, seed=2)
    target = evaluation_set(catalogue(USERS, ITEMS), seen, held_out, exclude_seen=True)
    for width in sizes.widths:
        rng = np.random.default_rng(0)
        user_vecs, item_vecs = (rng.standard_normal((n, width), np.float32) for n in (USERS, ITEMS))
        scorer = VectorScorer(user_vecs, item_vecs, device=device)
        users, items = scorer.user_vecs, scorer.item_vecs
        ours = _seconds(partial(evaluate, scorer, target, (5, 10, K)), device)
        users = users[torch.from_numpy(target.users).to(device)]
        bare = _seconds(partial(_best, users, items), device)
        what = f"GPU: evaluation, {width:,} dimensions"
        yield Line(what, "s", 3.0, ours, bare, "blocked product and torch.topk")


def _best(users: Tensor, items: Tensor) -> None:
    for block in torch.split(users, 4096):
        torch.topk(block @ items.T, K)


def _decompositions(rows: Interactions, device: str, sizes: Sizes) -> Iterator[Line]:
    matrix = History.of(rows, USERS, ITEMS, CONFIG).matrix()
    for rank in sizes.ranks:
        ours = _seconds(partial(decompose_on_device, matrix, rank, 1, device), device)
        bare = _seconds(partial(_bare_svd, matrix, rank, device), device)
        what = f"GPU: SVD of rank {rank:,}"
        yield Line(what, "s", 3.0, ours, bare, "torch.svd_lowrank, 2 iterations")


def _regression(rows: Interactions, device: str, sizes: Sizes) -> Iterator[Line]:
    history = History.of(rows, USERS, ITEMS, CONFIG)
    vectors = np.random.default_rng(0).standard_normal((ITEMS, sizes.ridge), np.float32)
    ours, on_cpu = (
        _seconds(partial(ridge_items, vectors, history, CONFIG, threads=1, device=at), at)
        for at in (device, "cpu")
    )
    what = f"GPU: ridge regression of {sizes.ridge} dimensions"
    yield Line(what, "s", 0.33, ours, on_cpu, "one CPU thread")


def _bare_svd(matrix: scipy.sparse.csr_array, rank: int, device: str) -> None:
    crow, columns = torch.from_numpy(matrix.indptr), torch.from_numpy(matrix.indices)
    values = torch.from_numpy(matrix.data)
    sparse = torch.sparse_csr_tensor(crow, columns, values, matrix.shape).to(device)
    torch.svd_lowrank(sparse, q=rank + 10, niter=2)


def _seconds(run: Callable[[], object], device: str) -> float:
    """Median of three calls after a first one."""
    found = []
    for _ in range(4):
        begun = time.perf_counter()
        run()
        if device == "cuda":
            torch.cuda.synchronize()
        found.append(time.perf_counter() - begun)
    return median(found[1:])


def main() -> None:
    """Print the lines as they are measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--scale", choices=("full", "small"), default="full")
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        parser.error(f"{NOT_RUN}; see --device cpu")
    for line in measure(arguments.device, FULL if arguments.scale == "full" else SMALL):
        print(f"{line.what:<42} {line.ours:9.4f} {line.limit:9.4f} {line.compared:6.2f}", end="")
        print(f"  <= {line.aim:g}  ({line.against}; {line.note})", flush=True)


if __name__ == "__main__":
    main()
