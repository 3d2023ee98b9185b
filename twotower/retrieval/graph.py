"""An approximate index that is a navigable small-world graph of item vectors, built by usearch.

Source: Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using
hierarchical navigable small world graphs", TPAMI 2020.
"""

import threading
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from twotower.common.arrays import Float32Array, Int8Array, Int64Array
from twotower.common.errors import ConfigError
from twotower.data.interactions import ItemLists
from twotower.retrieval.exact import Candidates, rescored, top_k
from twotower.retrieval.index_file import check_index

if TYPE_CHECKING:
    from usearch.index import Index


NEIGHBOURS = 16
"""Links per item in the graph (HNSW's M)."""
BUILD_EFFORT = 128
"""Candidates considered when an item is added (HNSW's efConstruction)."""
SEARCH_EFFORT = 128
"""Candidates considered in a search, at least (HNSW's efSearch)."""
FETCHED = 2000
"""Items that are asked of the index, at most: exact search takes no longer than for more."""
SPARE = 2
"""How many times the items are asked for that a filter leaves room to expect."""
BLOCK = 2**16
"""Vectors that are rounded at a time."""


def check_installed() -> None:
    """Say now what building an index would say after hours of training.

    Raises:
        ConfigError: if usearch is not installed.
    """
    _empty(1)


def build_graph(item_vecs: Float32Array, dtype: str) -> bytes:
    """Content of an index file for inner products; the same vectors give the same bytes.

    Args:
        item_vecs: [num_items, dim] float32.
        dtype: of the vectors in the index; f32, f16 or i8, see `IndexKind`.

    Raises:
        ConfigError: if usearch is not installed.
    """
    index = _empty(item_vecs.shape[1], dtype)
    _add(index, item_vecs, 0, _largest(item_vecs))
    return bytes(index.save() or b"")


class GraphIndex:
    """Approximate `exact.top_k`: candidates from a graph, ordered by their exact scores."""

    def __init__(self, index: "Index") -> None:
        self._index = index
        self._searching = threading.Lock()
        index.expansion_search = SEARCH_EFFORT

    @classmethod
    def open(cls, content: NDArray[np.uint8], dim: int, num_items: int) -> Self:
        """What `build_graph` returned, in place: `content` is read when it is searched.

        Args:
            content: of its file, mapped or not.
            dim: length of the vectors.
            num_items: number of vectors.

        Raises:
            ConfigError: if usearch is not installed.
            ValueError: if it is damaged, or holds other vectors.
        """
        index = _empty(dim)
        try:
            check_index(content, dim, num_items, NEIGHBOURS)
            if num_items:
                index.view(content)
        except (ValueError, RuntimeError) as error:
            msg = f"the index file {error}"
            raise ValueError(msg) from None
        vars(index)["content"] = content  # usearch does not keep it
        return cls(index)

    def __len__(self) -> int:
        return len(self._index)

    @property
    def dtype(self) -> str:
        """Of the vectors in the graph, as `build_graph` takes it."""
        return str(self._index.dtype.name.lower())

    def with_vectors(self, item_vecs: Float32Array, start: int) -> Self:
        """A copy that also has the vectors from `start` on; this index stays as it is."""
        longer = _empty(item_vecs.shape[1])
        longer.load(bytes(self._index.save() or b""))
        _add(longer, item_vecs, start, _largest(item_vecs[:start]))
        return type(self)(longer)

    def top_k(
        self, queries: Float32Array, candidates: Candidates, k: int, masked: ItemLists
    ) -> tuple[Int64Array, Float32Array]:
        """See `exact.top_k`, which answers where the index would have to find too many items.

        Far down a ranking, where few of the items may appear, an index misses many.
        """
        if candidates.scale is not None or candidates.few is not None:
            return top_k(queries, candidates, k, masked)
        items = np.full((len(queries), k), -1, dtype=np.int64)
        scores = np.full((len(queries), k), np.nan, dtype=np.float32)
        unanswered = []
        for row, query in enumerate(queries):
            hidden = masked.items[masked.offsets[row] : masked.offsets[row + 1]]
            nearest = self._search(query, candidates, k, hidden)
            if nearest is None:
                unanswered.append(row)
                continue
            best, values = rescored(query, candidates, nearest, k)
            items[row, : len(best)], scores[row, : len(best)] = best, values
        rest = np.array(unanswered, dtype=np.int64)
        items[rest], scores[rest] = top_k(queries[rest], candidates, k, masked.select(rest))
        return items, scores

    def _search(
        self, query: Float32Array, candidates: Candidates, k: int, hidden: Int64Array
    ) -> Int64Array | None:
        """The nearest items that may appear, ascending; None if the index does not find enough."""
        num_items, allowed = len(candidates.vectors), candidates.allowed
        if allowed is not None:
            hidden = hidden[allowed[hidden]]
        num_left = candidates.num_allowed - len(hidden)
        wanted = min(k + len(hidden), candidates.num_allowed)
        if allowed is not None and num_left:
            wanted = SPARE * wanted * num_items // candidates.num_allowed
        if wanted > FETCHED:
            return None
        # As many as the search considers: where the index has rounded vectors, the order is theirs.
        wanted = min(max(wanted, SEARCH_EFFORT), num_items)
        asked = _stored(self._index, query, float(np.abs(query).max()))
        with self._searching:  # concurrent searches would share one working memory
            matches = self._index.search(asked, wanted, threads=1)
        keys = np.sort(matches.keys.astype(np.int64))
        if allowed is not None:
            keys = keys[allowed[keys]]
        keys = keys[~np.isin(keys, hidden)]
        return keys if len(keys) >= min(k, num_left) else None


def _add(index: "Index", item_vecs: Float32Array, start: int, largest: float) -> None:
    """Add the vectors from `start` on."""
    for low in range(start, len(item_vecs), BLOCK):
        block = item_vecs[low : min(low + BLOCK, len(item_vecs))]
        keys = np.arange(low, low + len(block), dtype=np.uint64)
        # One thread: with more, the graph depends on which of them is faster.
        index.add(keys, _stored(index, block, largest), threads=1)


def _stored(index: "Index", vectors: Float32Array, largest: float) -> NDArray[np.float32 | np.int8]:
    """Vectors as an index takes them; for int8 rounded, so that `largest` becomes 127.

    Left to usearch, vectors would lose their lengths as they are rounded.
    """
    if index.dtype.name != "I8":
        return vectors
    scaled = np.rint(vectors * np.float32(127 / largest if largest else 0))
    rounded: Int8Array = np.clip(scaled, -127, 127).astype(np.int8)
    return rounded


def _largest(vectors: Float32Array) -> float:
    """The largest absolute value; 0 without any."""
    return max(
        (float(np.abs(vectors[low : low + BLOCK]).max()) for low in range(0, len(vectors), BLOCK)),
        default=0.0,
    )


def _empty(dim: int, dtype: str = "f32") -> "Index":
    try:
        from usearch.index import Index
    except ModuleNotFoundError:
        msg = 'the index needs usearch: pip install "twotower[index]"'
        raise ConfigError(msg) from None
    return Index(
        ndim=dim,
        metric="ip",
        dtype=dtype,
        connectivity=NEIGHBOURS,
        expansion_add=BUILD_EFFORT,
        expansion_search=SEARCH_EFFORT,
    )
