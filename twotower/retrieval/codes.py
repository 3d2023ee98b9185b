"""Codes of a few bits, from which the scores of items are estimated."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from twotower.common.arrays import Float32Array, Float64Array, Int8Array, UInt64Array
from twotower.common.hashing import splitmix64
from twotower.retrieval.exact import SCORES

BLOCK = 2**14
"""Items whose codes are made, or compared, at a time: few enough to stay in the CPU cache."""
NUMBERS = 2**17
"""Numbers that are converted at a time, likewise."""
WORD = 64
"""Bits of a word of signs."""
BITS = 24
"""Of the numbers that vectors are rounded to before signs are taken: those of a float32."""


class Codes(Protocol):
    """Codes of items, from which their scores are estimated.

    Attributes:
        dtype: see `IndexKind`.
        least: items that are scored exactly, at least.
        times: and at least so many times as are wanted.
    """

    dtype: ClassVar[str]
    least: ClassVar[int]
    times: ClassVar[int]

    def __init__(self, codes: NDArray[Any], lengths: Float32Array) -> None: ...

    @property
    def codes(self) -> NDArray[Any]:
        """In the shape of `layout`."""

    @property
    def lengths(self) -> Float32Array:
        """[num_items] float32, by which estimates are multiplied."""

    @staticmethod
    def layout(dim: int, num_items: int) -> tuple[str, tuple[int, int]]:
        """Type and shape of `codes`."""

    @classmethod
    def of(cls, vectors: Float32Array) -> Self:
        """The codes of [num_items, dim] vectors."""

    def followed_by(self, others: Self) -> Self:
        """These items and then others."""

    def estimates(self, queries: Float32Array) -> Iterator[tuple[int, Float32Array]]:
        """Blocks of items: the first one's index, and [num_queries, items] estimated scores."""


@dataclass(frozen=True)
class Int8Codes:
    """Vectors rounded to 255 steps, of which each vector has its own.

    Attributes:
        codes: [num_items, dim] int8.
        lengths: [num_items] float32, the step of each vector.
    """

    codes: Int8Array
    lengths: Float32Array
    dtype: ClassVar[str] = "int8"
    least: ClassVar[int] = 128
    times: ClassVar[int] = 4

    @staticmethod
    def layout(dim: int, num_items: int) -> tuple[str, tuple[int, int]]:
        """See `Codes`."""
        return "<i1", (num_items, dim)

    @classmethod
    def of(cls, vectors: Float32Array) -> Self:
        """See `Codes`."""
        codes = np.empty(vectors.shape, np.int8)
        steps = np.empty(len(vectors), np.float32)
        for low in range(0, len(vectors), BLOCK):
            block = vectors[low : low + BLOCK]
            largest = np.abs(block).max(axis=1, initial=0)
            steps[low : low + BLOCK] = largest / np.float32(127)
            scaled = np.divide(block, largest[:, None], where=largest[:, None] > 0,
                               out=np.zeros(block.shape, np.float32))  # fmt: skip
            codes[low : low + BLOCK] = np.rint(scaled * np.float32(127))
        return cls(codes, steps)

    def followed_by(self, others: Self) -> Self:
        """See `Codes`."""
        return type(self)(
            np.concatenate([self.codes, others.codes]),
            np.concatenate([self.lengths, others.lengths]),
        )

    def estimates(self, queries: Float32Array) -> Iterator[tuple[int, Float32Array]]:
        """See `Codes`."""
        step = max(1, SCORES // len(queries))
        small = max(1, NUMBERS // max(1, self.codes.shape[1]))
        for low in range(0, len(self.codes), step):
            codes = self.codes[low : low + step]
            scores = np.empty((len(queries), len(codes)), np.float32)
            for start in range(0, len(codes), small):
                numbers = codes[start : start + small].astype(np.float32)
                np.matmul(queries, numbers.T, out=scores[:, start : start + small])
            scores *= self.lengths[low : low + step]
            yield low, scores


@dataclass(frozen=True)
class SignCodes:
    """Signs of the coordinates of turned vectors, twice as many as these have coordinates.

    The share of signs in which two vectors differ tells the angle between them (Charikar, STOC
    2002). Turned, no coordinate says more than another.

    Attributes:
        codes: [num_words, num_items] uint64: all first words, then all second ones, and so on.
        lengths: [num_items] float32, Euclidean.
    """

    codes: UInt64Array
    lengths: Float32Array
    dtype: ClassVar[str] = "binary"
    least: ClassVar[int] = 2000
    times: ClassVar[int] = 40

    @staticmethod
    def layout(dim: int, num_items: int) -> tuple[str, tuple[int, int]]:
        """See `Codes`."""
        return "<u8", (_num_words(dim), num_items)

    @classmethod
    def of(cls, vectors: Float32Array) -> Self:
        """See `Codes`."""
        num_items, dim = vectors.shape
        codes = np.empty((_num_words(dim), num_items), np.uint64)
        lengths = np.empty(num_items, np.float32)
        for low in range(0, num_items, BLOCK):
            block = np.asarray(vectors[low : low + BLOCK])
            codes[:, low : low + BLOCK] = _signs(block).T
            lengths[low : low + BLOCK] = _lengths(block)
        return cls(codes, lengths)

    def followed_by(self, others: Self) -> Self:
        """See `Codes`."""
        return type(self)(
            np.concatenate([self.codes, others.codes], axis=1),
            np.concatenate([self.lengths, others.lengths]),
        )

    def estimates(self, queries: Float32Array) -> Iterator[tuple[int, Float32Array]]:
        """See `Codes`."""
        asked, bits = _signs(queries), WORD * len(self.codes)
        cosines = np.cos(np.pi * np.arange(bits + 1) / bits).astype(np.float32)
        step = max(1, SCORES // len(queries))
        for low in range(0, self.codes.shape[1], step):
            high = min(low + step, self.codes.shape[1])
            scores = np.empty((len(queries), high - low), np.float32)
            for start in range(low, high, BLOCK):
                block = slice(start, min(start + BLOCK, high))
                inside = slice(block.start - low, block.stop - low)
                for row, words in enumerate(asked):
                    differ = self._differing(words, block)
                    np.multiply(cosines.take(differ), self.lengths[block], out=scores[row, inside])
            yield low, scores

    def _differing(self, words: UInt64Array, block: slice) -> NDArray[np.uint16]:
        """In how many signs each item of a block differs from a query."""
        counts = np.zeros(block.stop - block.start, np.uint16)
        for codes, word in zip(self.codes, words, strict=True):
            counts += np.bitwise_count(codes[block] ^ word)
        return counts


CODES: dict[str, type[Codes]] = {"int8": Int8Codes, "binary": SignCodes}
"""By dtype."""


def _num_words(dim: int) -> int:
    """Of the signs of a vector."""
    return -(-2 * dim // WORD)


def _signs(vectors: Float32Array) -> UInt64Array:
    """[num_vectors, num_words] signs of turned vectors; all sums are of integers, and exact."""
    _, exponents = np.frexp(np.abs(vectors).max(axis=1, initial=0))
    whole = np.rint(np.ldexp(vectors.astype(np.float64), BITS - exponents[:, None]))
    positive = whole @ _turns(vectors.shape[1]) > 0
    packed = np.packbits(positive, axis=1, bitorder="little")
    return np.ascontiguousarray(packed).view("<u8").astype(np.uint64)


def _lengths(vectors: Float32Array) -> Float32Array:
    """[num_vectors] Euclidean, with every sum from the first coordinate to the last."""
    squares = np.zeros(len(vectors))
    for column in vectors.T:
        squares += column.astype(np.float64) ** 2
    return np.sqrt(squares).astype(np.float32)


@cache
def _turns(dim: int) -> Float64Array:
    """[dim, 64 * num_words] integers: as many rotations as it takes, each up to a factor.

    A rotation is two rounds of random signs and a Hadamard matrix (Ailon and Chazelle, "The fast
    Johnson-Lindenstrauss transform", SIAM Journal on Computing 2009). After one round, all signs of
    a vector with a single large coordinate would be that coordinate's.
    """
    bits = WORD * _num_words(dim)
    size = 1 << max(0, dim - 1).bit_length()
    matrix, turns = _hadamard(size), []
    for number in range(-(-bits // size)):
        turned = np.eye(size)
        for turn in range(2):
            places = np.arange(size, dtype=np.uint64) + np.uint64((2 * number + turn) * size + 1)
            signs = 1.0 - 2.0 * (splitmix64(places) >> np.uint64(63)).astype(np.float64)
            turned = (turned * signs) @ matrix
        turns.append(turned[:dim])
    return np.hstack(turns)[:, :bits]


def _hadamard(size: int) -> Float64Array:
    """Sylvester's: [size, size] of 1 and -1, for a power of 2."""
    matrix = np.ones((1, 1))
    while len(matrix) < size:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return matrix
