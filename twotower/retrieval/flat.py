"""Indexes without a graph: every item is scored by a code of a few bits, the best of them exactly.

A file is a head and two arrays, little-endian, each from a multiple of 64 bytes on:

    head        "twotower flat 1", dtype, dim (uint64), number of items (uint64)
    codes       see `Int8Codes` and `SignCodes` of `twotower.retrieval.codes`
    lengths     [num_items] float32
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from twotower.common.arrays import Float32Array, Int64Array
from twotower.data.interactions import ItemLists
from twotower.retrieval.codes import CODES, Codes
from twotower.retrieval.exact import Candidates, rescored, top_k

MAGIC = b"twotower flat 1\0"
HEAD = struct.Struct("<16s16sQQ16x")
ALIGNED = 64


class FlatIndex:
    """Approximate `exact.top_k`: candidates by their codes, ordered by their exact scores."""

    def __init__(self, codes: Codes) -> None:
        self._codes = codes

    @classmethod
    def open(cls, content: NDArray[np.uint8], dim: int, num_items: int) -> Self:
        """What `build_flat` returned, in place: `content` is read when it is searched.

        Args:
            content: of its file, mapped or not.
            dim: length of the vectors.
            num_items: number of vectors.

        Raises:
            ValueError: if it is damaged, or holds other vectors.
        """
        dtype = cls.stored_dtype(content)
        if HEAD.unpack_from(content.data)[2:] != (dim, num_items):
            msg = f"the index file does not hold {num_items:,} vectors of length {dim}"
            raise ValueError(msg)
        kind = CODES[dtype]
        form, shape = kind.layout(dim, num_items)
        begin = HEAD.size + _padded(np.dtype(form).itemsize * shape[0] * shape[1])
        if len(content) != begin + _padded(4 * num_items):
            msg = "the index file is not an index: it is cut short, or longer than its vectors"
            raise ValueError(msg)
        codes = np.frombuffer(content, form, shape[0] * shape[1], HEAD.size).reshape(shape)
        lengths = np.frombuffer(content, "<f4", num_items, begin)
        if not (np.isfinite(lengths).all() and (lengths >= 0).all()):
            msg = "the index file is not an index: it has lengths that no vector can have"
            raise ValueError(msg)
        return cls(kind(codes, lengths))

    @staticmethod
    def stored_dtype(content: NDArray[np.uint8]) -> str:
        """Of the codes in a file, as `build_flat` takes it.

        Raises:
            ValueError: if it has none that is known.
        """
        if len(content) >= HEAD.size:
            dtype: str = HEAD.unpack_from(content.data)[1].rstrip(b"\0").decode(errors="replace")
            if dtype in CODES:
                return dtype
        msg = "the index file is not an index: its vectors are of another kind"
        raise ValueError(msg)

    @property
    def dtype(self) -> str:
        """Of the codes, as `build_flat` takes it."""
        return self._codes.dtype

    def __len__(self) -> int:
        return len(self._codes.lengths)

    def with_vectors(self, item_vecs: Float32Array, start: int) -> Self:
        """A copy that also has the vectors from `start` on; this index stays as it is."""
        new = self._codes.of(item_vecs[start:])
        return type(self)(self._codes.followed_by(new))

    def top_k(
        self, queries: Float32Array, candidates: Candidates, k: int, masked: ItemLists
    ) -> tuple[Int64Array, Float32Array]:
        """See `exact.top_k`, which answers where few items may appear."""
        pool = max(self._codes.least, self._codes.times * k)
        is_few = candidates.few is not None or pool >= candidates.num_allowed
        if candidates.scale is not None or is_few:
            return top_k(queries, candidates, k, masked)
        items = np.full((len(queries), k), -1, dtype=np.int64)
        scores = np.full((len(queries), k), np.nan, dtype=np.float32)
        estimated = _Estimated(candidates.vectors, candidates.allowed, codes=self._codes)
        pools, _ = top_k(queries, estimated, pool, masked)
        for row, found in enumerate(pools):
            nearest = np.sort(found[found >= 0])
            best, values = rescored(queries[row], candidates, nearest, k)
            items[row, : len(best)], scores[row, : len(best)] = best, values
        return items, scores


@dataclass(frozen=True, kw_only=True)
class _Estimated(Candidates):
    """Candidates whose scores are estimated."""

    codes: Codes

    def scores(self, queries: Float32Array) -> Iterator[tuple[int, Float32Array]]:
        """See `Candidates`."""
        for low, scores in self.codes.estimates(queries):
            if self.allowed is not None:
                scores[:, ~self.allowed[low : low + scores.shape[1]]] = -np.inf
            yield low, scores


def build_flat(item_vecs: Float32Array, dtype: str) -> bytes:
    """Content of an index file; the same vectors give the same bytes, on any machine.

    Args:
        item_vecs: [num_items, dim] float32.
        dtype: int8 or binary.
    """
    num_items, dim = item_vecs.shape
    codes = CODES[dtype].of(item_vecs)
    form, _ = codes.layout(dim, num_items)
    parts = [
        HEAD.pack(MAGIC, dtype.encode(), dim, num_items),
        codes.codes.astype(form).tobytes(),
        codes.lengths.astype("<f4").tobytes(),
    ]
    return b"".join(part.ljust(_padded(len(part)), b"\0") for part in parts)


def is_flat(content: NDArray[np.uint8]) -> bool:
    """Whether the content of an index file begins as `build_flat` has it."""
    return bytes(content[: len(MAGIC)]) == MAGIC


def _padded(size: int) -> int:
    return -(-size // ALIGNED) * ALIGNED
