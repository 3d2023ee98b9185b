"""A model folder that answers: recommendations for users, for histories, and similar items."""

import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from twotower.artifacts import ARTIFACTS, Artifacts, Id, load_artifacts
from twotower.common.errors import RequestError
from twotower.data.interactions import ItemLists
from twotower.serving.exact import Candidates, top_k
from twotower.serving.filters import Filter, item_mask
from twotower.serving.popular import Popular
from twotower.serving.results import Recommendations, Source

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float32]

NORM_BLOCK = 2**16
"""Items whose lengths are computed at a time."""


class Recommender:
    """Exact recommendations from the artifacts of the refit stage; safe to share among threads.

    Whatever the request, no item appears twice in a row, and ids that the model does not know are
    no error: an unknown user gets popular items, an unknown item in a history or a filter is
    ignored, and the `source` of each row says what happened. An id of the wrong type is an error.

    Attributes:
        artifacts: the model.
    """

    def __init__(self, artifacts: Artifacts) -> None:
        self.artifacts = artifacts
        self._popular = Popular(artifacts.item_counts)
        self._normalise = artifacts.meta["model"]["similarity"] == "cosine"

    @classmethod
    def load(cls, path: Path | str = ARTIFACTS, *, mmap: bool = True) -> "Recommender":
        """Open the folder of a model.

        Args:
            path: what the refit stage wrote.
            mmap: read vectors and ids when they are used, which makes this instant at any size.

        Raises:
            ArtifactError: if the folder is missing, incomplete, or of another format version.
        """
        return cls(load_artifacts(Path(path), mmap=mmap))

    @property
    def num_users(self) -> int:
        """Users that the model knows."""
        return len(self.artifacts.user_ids)

    @property
    def num_items(self) -> int:
        """Items that the model knows."""
        return len(self.artifacts.item_ids)

    def recommend(
        self,
        user_ids: Iterable[Id],
        k: int = 10,
        exclude_seen: bool = True,
        filter: Filter | None = None,  # noqa: A002 - the name that a caller would look for
    ) -> Recommendations:
        """The best items for each user, exactly.

        Args:
            user_ids: a row each, in this order, repeated ones too.
            k: items a user, at least 1; beyond the catalogue, all of it.
            exclude_seen: whether items of the user's training history are left out.
            filter: items that may be recommended (see `Filter`); None: all.

        Returns:
            Source "model"; "popularity" for users that the model does not know, or knows nothing
            of (their vector is zero).

        Raises:
            RequestError: if an id is of the wrong type, k below 1, or `filter` unusable.
        """
        asked = self.artifacts.user_ids.check(user_ids)
        users = self.artifacts.user_ids.encode(asked)
        vectors = np.zeros((len(users), self.artifacts.item_vecs.shape[1]), dtype=np.float32)
        vectors[users >= 0] = self.artifacts.user_vecs[users[users >= 0]]
        seen = _nothing(len(users))
        if exclude_seen:
            seen = _select(self.artifacts.seen, users)
        query = _Query(asked, "user_id", "model", vectors, seen)
        return self._answer(query, k, filter)

    def recommend_from_history(
        self,
        items: Iterable[Id],
        k: int = 10,
        exclude_seen: bool = True,
        filter: Filter | None = None,  # noqa: A002 - as above
    ) -> Recommendations:
        """The best items for a new user who has these; see `recommend_from_histories`."""
        return self.recommend_from_histories([items], k, exclude_seen, filter)

    def recommend_from_histories(
        self,
        histories: Sequence[Iterable[Id]],
        k: int = 10,
        exclude_seen: bool = True,
        filter: Filter | None = None,  # noqa: A002 - as above
    ) -> Recommendations:
        """The best items for users that the model does not know.

        Args:
            histories: the items of each user; repeated and unknown ones count once and not at all.
            k: items a user, at least 1; beyond the catalogue, all of it.
            exclude_seen: whether the items of the history are left out.
            filter: items that may be recommended (see `Filter`); None: all.

        Returns:
            Source "history" if the model's user tower pools histories; otherwise "fold-in", the
            mean of the items' vectors (normalised as those of users are); "popularity" where no
            item is known, or all their vectors are zero.

        Raises:
            RequestError: if an id is of the wrong type, k below 1, or `filter` unusable.
        """
        known = [np.unique(self.artifacts.item_ids.encode(items)) for items in histories]
        known = [items[items >= 0] for items in known]
        vectors = np.zeros((len(known), self.artifacts.item_vecs.shape[1]), dtype=np.float32)
        for row, items in enumerate(known):
            if len(items):
                vectors[row] = self._pool(items)
        source: Source = "fold-in" if self.artifacts.history_item_vecs is None else "history"
        seen = _lists(known) if exclude_seen else _nothing(len(known))
        query = _Query(list(range(len(known))), "history", source, vectors, seen)
        return self._answer(query, k, filter)

    def similar_items(
        self,
        items: Iterable[Id],
        k: int = 10,
        filter: Filter | None = None,  # noqa: A002 - as above
    ) -> Recommendations:
        """The items whose vectors have the largest cosine with that of each item, without itself.

        Args:
            items: a row each, in this order, repeated ones too.
            k: items a row, at least 1; beyond the catalogue, all of it.
            filter: items that may be answered (see `Filter`); None: all.

        Returns:
            Source "model"; "unknown", and no items, for an item that the model does not know, or
            knows nothing of (its vector is zero).

        Raises:
            RequestError: if an id is of the wrong type, k below 1, or `filter` unusable.
        """
        asked = self.artifacts.item_ids.check(items)
        index = self.artifacts.item_ids.encode(asked)
        width = self._width(k)
        mask = item_mask(filter, self.artifacts.item_ids)
        found, scores = _empty(len(index), width)
        known = np.flatnonzero((index >= 0) & (self._inverse_norms[index] > 0))
        queries = self.artifacts.item_vecs[index[known]]
        queries = queries * self._inverse_norms[index[known], None]
        candidates = Candidates(self.artifacts.item_vecs, mask, self._inverse_norms)
        itself = ItemLists(np.arange(len(known) + 1), index[known])
        found[known], scores[known] = top_k(queries, candidates, width, itself)
        source: list[Source] = ["unknown"] * len(index)
        for row in known:
            source[row] = "model"
        return Recommendations(asked, "similar_to", found, scores, source, self.artifacts.item_ids)

    def _answer(self, query: "_Query", k: int, given: Filter | None) -> Recommendations:
        """Rank for each vector; a vector of zeros says nothing, and gets popular items."""
        width = self._width(k)
        mask = item_mask(given, self.artifacts.item_ids)
        items, scores = _empty(len(query.vectors), width)
        has_vector = query.vectors.any(axis=1)
        known = np.flatnonzero(has_vector)
        candidates = Candidates(self.artifacts.item_vecs, mask)
        items[known], scores[known] = top_k(
            query.vectors[known], candidates, width, query.seen.select(known)
        )
        source = [query.source] * len(items)
        for row in np.flatnonzero(~has_vector):
            low, high = query.seen.offsets[row : row + 2]
            top, counts = self._popular.top_k(width, query.seen.items[low:high], mask)
            items[row, : len(top)], scores[row, : len(top)] = top, counts
            source[row] = "popularity"
        return Recommendations(
            query.asked, query.asked_name, items, scores, source, self.artifacts.item_ids
        )

    def _width(self, k: int) -> int:
        try:
            length = operator.index(k)
        except TypeError:
            length = 0
        if isinstance(k, bool) or length < 1:
            msg = f"k must be a whole number of at least 1, got {k!r}"
            raise RequestError(msg)
        return min(length, self.num_items)

    def _pool(self, items: IntArray) -> FloatArray:
        """[dim] vector of a user with these distinct items, as the model's user vectors are."""
        pooled = self.artifacts.history_item_vecs
        if pooled is None:
            vector = self.artifacts.item_vecs[items].mean(axis=0, dtype=np.float64)
        else:
            exponent = float(self.artifacts.meta["history"]["user_exponent"])
            vector = pooled[items].sum(axis=0, dtype=np.float64) * len(items) ** -exponent
        length = np.linalg.norm(vector) if self._normalise else 1.0
        scaled: FloatArray = (vector / (length or 1.0)).astype(np.float32)
        return scaled

    @cached_property
    def _inverse_norms(self) -> FloatArray:
        """[num_items] 1 / length of each item vector; 0 for a vector of zeros."""
        vectors = self.artifacts.item_vecs
        norms = np.empty(len(vectors), dtype=np.float32)
        for low in range(0, len(vectors), NORM_BLOCK):
            block = slice(low, low + NORM_BLOCK)
            norms[block] = np.linalg.norm(vectors[block], axis=1)
        inverse: FloatArray = np.divide(1, norms, out=np.zeros_like(norms), where=norms > 0)
        return inverse


@dataclass(frozen=True)
class _Query:
    """What is to be ranked for: ids, their name and source, vectors, and items to leave out."""

    asked: Sequence[Id]
    asked_name: str
    source: Source
    vectors: FloatArray
    seen: ItemLists


def _empty(rows: int, width: int) -> tuple[IntArray, FloatArray]:
    """Items and scores of an answer that holds nothing yet."""
    return np.full((rows, width), -1), np.full((rows, width), np.nan, dtype=np.float32)


def _nothing(count: int) -> ItemLists:
    return ItemLists(np.zeros(count + 1, np.int64), np.empty(0, np.int64))


def _lists(rows: Sequence[IntArray]) -> ItemLists:
    offsets = np.cumsum([0, *map(len, rows)])
    return ItemLists(offsets, np.concatenate([np.empty(0, np.int64), *rows]))


def _select(lists: ItemLists, users: IntArray) -> ItemLists:
    """The lists of users of whom some are unknown (-1): those have an empty one."""
    known = users >= 0
    chosen = lists.select(users[known])
    counts = np.zeros(len(users), np.int64)
    counts[known] = chosen.counts
    return ItemLists(np.concatenate([[0], np.cumsum(counts)]), chosen.items)
