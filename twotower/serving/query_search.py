"""The rows of a request, and the search for their best items."""

import math
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from twotower.artifacts import Id
from twotower.common.arrays import BoolArray, Float32Array, Int64Array
from twotower.common.errors import RequestError
from twotower.data.interactions import ItemLists
from twotower.retrieval.exact import Candidates
from twotower.retrieval.popular import Popular
from twotower.serving.recommendations import Source

Found = tuple[Int64Array, Float32Array]
"""[rows, width] items, -1 past the end, and scores, NaN past the end."""
TopK = Callable[[Float32Array, Candidates, int, ItemLists], Found]
"""`exact.top_k`, or one that answers as it does."""
DEADLINE: ContextVar[float] = ContextVar("DEADLINE", default=math.inf)
"""Of `time.monotonic()`: what is not ranked by then is not wanted any more."""


class BusyError(RequestError):
    """A request that cannot be answered in time: it asks too much, or there are too many."""


def check_time() -> None:
    """Whether there is time left for more.

    Raises:
        BusyError: if the deadline has passed.
    """
    if time.monotonic() > DEADLINE.get():
        msg = "takes too long: ask for fewer rows at a time, a smaller k, or without diversity"
        raise BusyError(msg)


@dataclass(frozen=True)
class Query:
    """Rows to rank items for: ids, their name and source, vectors, and items to leave out."""

    ids: Sequence[Id]
    name: str
    source: Source
    vectors: Float32Array
    seen: ItemLists


class QuerySearch:
    """Ranks items by each vector; a vector of zeros says nothing, and gets popular items."""

    def __init__(self, query: Query, top_k: TopK, candidates: Candidates, popular: Popular) -> None:
        self._vectors, self._source = query.vectors, query.source
        self._has_vector: BoolArray = np.any(query.vectors, axis=1)
        self._top_k, self._candidates, self._popular = top_k, candidates, popular

    def __call__(self, rows: Int64Array, width: int, hidden: ItemLists) -> Found:
        """The best items of some rows, without those that are hidden for each."""
        check_time()
        has_vector = self._has_vector[rows]
        if has_vector.all():
            return self._top_k(self._vectors[rows], self._candidates, width, hidden)
        items, scores = nothing(len(rows), width)
        known = np.flatnonzero(has_vector)
        items[known], scores[known] = self._top_k(
            self._vectors[rows[known]], self._candidates, width, hidden.select(known)
        )
        for row in np.flatnonzero(~has_vector):
            low, high = hidden.offsets[row : row + 2]
            top, counts = self._popular.first(self._ranking, width, hidden.items[low:high])
            items[row, : len(top)], scores[row, : len(top)] = top, counts
        return items, scores

    @cached_property
    def _ranking(self) -> Int64Array:
        """Items by popularity."""
        return self._popular.ranking(self._candidates.allowed)

    def sources(self) -> list[Source]:
        """[rows] what each was ranked by."""
        return [self._source if known else "popularity" for known in self._has_vector]


def nothing(rows: int, width: int) -> Found:
    """Items and scores of rows that hold nothing yet."""
    return np.full((rows, width), -1), np.full((rows, width), np.nan, dtype=np.float32)
