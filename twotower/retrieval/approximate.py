"""Indexes of item vectors: built, opened, and measured against exact search."""

from collections.abc import Mapping
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from twotower.common.arrays import Float32Array, Int64Array
from twotower.data.interactions import ItemLists
from twotower.retrieval import graph
from twotower.retrieval.codes import CODES
from twotower.retrieval.exact import Candidates, top_k
from twotower.retrieval.flat import FlatIndex, build_flat, is_flat
from twotower.retrieval.graph import GraphIndex, build_graph
from twotower.retrieval.index_file import stored_dtype

GRAPH_FILE, FLAT_FILE = FILES = ("index.usearch", "index.flat")
QUERIES = 1000
"""Users to measure the recall with, at most."""


class ItemIndex(Protocol):
    """An index that answers as `exact.top_k` does, or nearly so."""

    @property
    def dtype(self) -> str:
        """Of the vectors in it, see `IndexKind`."""

    def __len__(self) -> int:
        """How many vectors it holds."""

    def top_k(
        self, queries: Float32Array, candidates: Candidates, k: int, masked: ItemLists
    ) -> tuple[Int64Array, Float32Array]:
        """See `exact.top_k`."""

    def with_vectors(self, item_vecs: Float32Array, start: int) -> Self:
        """A copy that also has the vectors from `start` on."""


def check_installed(dtype: str) -> None:
    """Say now what building an index would say after hours of training.

    Raises:
        ConfigError: if it takes usearch, which is not installed.
    """
    if dtype not in CODES:
        graph.check_installed()


def build_index(item_vecs: Float32Array, dtype: str = "f32") -> bytes:
    """Content of an index file for inner products; the same vectors give the same bytes.

    Args:
        item_vecs: [num_items, dim] float32.
        dtype: of the vectors in the index, see `IndexKind`.

    Raises:
        ConfigError: if it takes usearch, which is not installed.
    """
    return build_flat(item_vecs, dtype) if dtype in CODES else build_graph(item_vecs, dtype)


def open_index(content: NDArray[np.uint8], dim: int, num_items: int) -> ItemIndex:
    """The index that `build_index` returned, in place: it reads `content` when it is searched.

    Args:
        content: of its file, mapped or not.
        dim: length of the vectors.
        num_items: number of vectors.

    Raises:
        ConfigError: if it takes usearch, which is not installed.
        ValueError: if it is damaged, or holds other vectors.
    """
    kind = FlatIndex if is_flat(content) else GraphIndex
    return kind.open(content, dim, num_items)


def index_file(index: bytes) -> str:
    """Name of the file for what `build_index` returned."""
    return FLAT_FILE if is_flat(np.frombuffer(index, np.uint8)) else GRAPH_FILE


def index_dtype(content: NDArray[np.uint8]) -> str:
    """Type of the vectors in the file of an index, as `build_index` takes it.

    Raises:
        ValueError: if it has none that is known.
    """
    return FlatIndex.stored_dtype(content) if is_flat(content) else stored_dtype(content)


def file_of_index(files: Mapping[str, Any]) -> str | None:
    """Which of the files of a model is its index; None: it has none."""
    return next((name for name in FILES if name in files), None)


def index_recall(
    index: ItemIndex, user_vecs: Float32Array, item_vecs: Float32Array, k: int
) -> dict[str, Any]:
    """Share of the exact top k that the index finds, over evenly spaced users.

    Returns:
        `k`, `num_users` and `recall` (their mean).
    """
    k = min(k, len(item_vecs))
    chosen = np.unique(np.linspace(0, len(user_vecs) - 1, QUERIES).astype(np.int64))
    queries = np.asarray(user_vecs[chosen])
    queries = queries[queries.any(axis=1)]
    nothing = ItemLists.empty(len(queries))
    exact, _ = top_k(queries, Candidates(item_vecs), k, nothing)
    approximate, _ = index.top_k(queries, Candidates(item_vecs), k, nothing)
    hits = [np.isin(a, b).sum() for a, b in zip(exact, approximate, strict=True)]
    return {"k": k, "num_users": len(queries), "recall": float(np.sum(hits)) / max(exact.size, 1)}
