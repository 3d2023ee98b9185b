"""A model folder that answers: recommendations for users, for histories, and similar items."""

import operator
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from twotower.artifacts import ARTIFACTS, Artifacts, Id, load_artifacts
from twotower.common.arrays import Float32Array, Int64Array
from twotower.common.errors import RequestError
from twotower.data.interactions import ItemLists
from twotower.retrieval.approximate import IndexSearch
from twotower.retrieval.exact import Candidates, top_k
from twotower.retrieval.popular import Popular
from twotower.serving.filters import Filter, item_mask
from twotower.serving.lists import item_lists, lists_of_users
from twotower.serving.recommendations import Recommendations, Source
from twotower.serving.vectors import (
    history_vectors,
    inverse_lengths,
    tower_width,
    user_vectors,
)

if TYPE_CHECKING:
    from usearch.index import Index


class Recommender:
    """Exact recommendations from the artifacts of the refit stage; safe to share among threads.

    Whatever the request, no item appears twice in a row, and ids that the model does not know are
    no error: an unknown user gets popular items, an unknown item in a history or a filter is
    ignored, and the `source` of each row says what happened. An id of the wrong type is an error.

    Attributes:
        artifacts: the model.
    """

    def __init__(self, artifacts: Artifacts, index: "Index | None" = None) -> None:
        self.artifacts = artifacts
        self._top_k = top_k if index is None else IndexSearch(index).top_k
        self._popular = Popular(artifacts.item_counts)

    @classmethod
    def load(
        cls, path: Path | str = ARTIFACTS, *, mmap: bool = True, approximate: bool = False
    ) -> "Recommender":
        """Open the folder of a model.

        Args:
            path: what the refit stage wrote.
            mmap: read vectors and ids when they are used, which makes this instant at any size.
            approximate: search the index that refit made if `refit.index` asked for one. Requests
                with a filter or a long history, and similar items, are still answered exactly.

        Raises:
            ArtifactError: if the folder is missing, incomplete, of another format version, or has
                no index although it is to be used.
            ConfigError: if the index is to be used and usearch is not installed.
        """
        artifacts = load_artifacts(Path(path), mmap=mmap)
        return cls(artifacts, artifacts.index(mmap=mmap) if approximate else None)

    def warm_up(self) -> None:
        """Read what the first requests would otherwise wait for: ids, popularity, lengths."""
        for ids in (self.artifacts.user_ids, self.artifacts.item_ids):
            ids.encode(ids.decode(np.arange(min(1, len(ids)))))
        self._popular.ranking(None)
        self._inverse_lengths  # noqa: B018 - computed once, and kept

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
        vectors = user_vectors(self.artifacts, users)
        seen = ItemLists.empty(len(users))
        if exclude_seen:
            seen = lists_of_users(self.artifacts.seen, users)
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
            histories: the items of each user, the latest one last; of repeated ones the last
                counts, unknown ones do not. The order matters to models with `history_decay`.
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
        known = [_distinct(self.artifacts.item_ids.encode(items)) for items in histories]
        vectors = history_vectors(self.artifacts, known)
        source: Source = "fold-in" if self.artifacts.history_item_vecs is None else "history"
        seen = ItemLists.empty(len(known))
        if exclude_seen:
            seen = item_lists([np.sort(items) for items in known])
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
        known = np.flatnonzero((index >= 0) & (self._inverse_lengths[index] > 0))
        queries = self._tower_vecs[index[known]]
        queries = queries * self._inverse_lengths[index[known], None]
        candidates = Candidates(self._tower_vecs, mask, self._inverse_lengths)
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
        items[known], scores[known] = self._top_k(
            query.vectors[known], candidates, width, query.seen.select(known)
        )
        source = [query.source] * len(items)
        if len(known) < len(items):
            ranking = self._popular.ranking(mask)
            for row in np.flatnonzero(~has_vector):
                low, high = query.seen.offsets[row : row + 2]
                top, counts = self._popular.first(ranking, width, query.seen.items[low:high])
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

    @property
    def _tower_vecs(self) -> Float32Array:
        """[num_items, width] item vectors without their popularity."""
        return self.artifacts.item_vecs[:, : tower_width(self.artifacts)]

    @cached_property
    def _inverse_lengths(self) -> Float32Array:
        return inverse_lengths(self._tower_vecs)


@dataclass(frozen=True)
class _Query:
    """What is to be ranked for: ids, their name and source, vectors, and items to leave out."""

    asked: Sequence[Id]
    asked_name: str
    source: Source
    vectors: Float32Array
    seen: ItemLists


def _distinct(items: Int64Array) -> Int64Array:
    """The distinct known items (not -1), in the order in which each comes last."""
    backwards = items[items >= 0][::-1]
    _, first = np.unique(backwards, return_index=True)
    return backwards[np.sort(first)][::-1]


def _empty(rows: int, width: int) -> tuple[Int64Array, Float32Array]:
    """Items and scores of an answer that holds nothing yet."""
    return np.full((rows, width), -1), np.full((rows, width), np.nan, dtype=np.float32)
