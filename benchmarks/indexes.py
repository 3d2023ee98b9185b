"""What an approximate index takes for one user, and finds, beside exact search, with filters."""

import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.measured import Line, Scale, in_turn, missing, timed
from twotower.artifacts.content import read_content
from twotower.config.indexes import INDEXES, IndexKind
from twotower.data.interactions import ItemLists
from twotower.retrieval.approximate import ItemIndex, build_index, open_index
from twotower.retrieval.exact import Candidates, top_k

CATALOGUES: dict[Scale, dict[int, list[str]]] = {
    "quick": {10**5: list(INDEXES)},
    "full": {10**6: list(INDEXES), 10**7: ["usearch_i8"]},
}
"""Numbers of items, and the indexes that are built of them, in one thread."""
DIM, K, USERS = 64, 10, 50
SHARES = (1.0, 0.5, 0.05, 0.001)
"""Of the catalogue that a filter keeps; 1: no filter."""


def vectors(count: int, seed: int) -> np.ndarray:
    """[count, DIM] as of a model: of unequal lengths, most in the first dimensions."""
    rng = np.random.default_rng(seed)
    spectrum = np.arange(1, DIM + 1, dtype=np.float32) ** -0.5
    lengths = rng.lognormal(0, 0.3, (count, 1)).astype(np.float32)
    return rng.standard_normal((count, DIM), dtype=np.float32) * spectrum * lengths


def lines_of(scale: Scale) -> Iterator[Line]:
    """Of each index with each filter."""
    users = vectors(USERS, 0)
    with threadpool_limits(1, user_api="blas"):
        for count, names in CATALOGUES[scale].items():
            if note := missing("usearch"):
                yield Line(f"one user, {count:,} items", "ms of CPU", 1.0, note=note)
                continue
            items = vectors(count, 1)
            for name in names:
                yield from _index_lines(INDEXES[name], users, items)


def _index_lines(kind: IndexKind, users: np.ndarray, items: np.ndarray) -> Iterator[Line]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index"
        built = timed(lambda: path.write_bytes(build_index(items, kind.dtype))).cpu
        size = path.stat().st_size / len(items)
        index = open_index(read_content(path, None, mmap=True), DIM, len(items))
        for share in SHARES:
            allowed = None if share == 1 else np.random.default_rng(2).random(len(items)) < share
            kept = "" if allowed is None else f", a filter keeps {share:.1%}"
            found, costs = _compared(index, users, items, allowed)
            built_note = f", {size:.0f} bytes an item, built in {built:,.0f} s"
            yield Line(
                f"one user, {len(items):,} items, {kind.name}{kept}", "ms of CPU", 1.0, *costs,
                "product of all items, filter, argpartition",
                note=f"recall@{K} {found:.4f}{built_note if allowed is None else ''}",
            )  # fmt: skip


def _compared(
    search: ItemIndex, users: np.ndarray, items: np.ndarray, allowed: np.ndarray | None
) -> tuple[float, list[float]]:
    """Recall against exact search, and ms a user of both."""
    nothing = ItemLists.empty(1)

    def answers(find: Callable[..., tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray]:
        # A filter is new with each request.
        return [find(user[None], Candidates(items, allowed), K, nothing)[0] for user in users]

    def bare() -> None:
        for user in users:
            scores = items @ user
            if allowed is not None:
                scores[~allowed] = -np.inf
            best = np.argpartition(scores, len(scores) - K)[-K:]
            best[np.argsort(-scores[best])]

    want, got = answers(top_k), answers(search.top_k)
    recall = float(np.mean([np.isin(a, b).mean() for a, b in zip(want, got, strict=True)]))
    found = in_turn({"ours": partial(timed, partial(answers, search.top_k), USERS),
                     "bare": partial(timed, bare, USERS)})  # fmt: skip
    return recall, [1000 * found[name].cpu for name in ("ours", "bare")]
