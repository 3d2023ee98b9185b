"""Recommendations from a model folder: for users, for histories, and similar items."""

import copy
import operator
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np

from twotower.artifacts import ARTIFACTS, Artifacts, Id, load_artifacts
from twotower.common.arrays import Float32Array, Int64Array
from twotower.common.errors import RequestError
from twotower.data.features import Features
from twotower.data.interactions import ItemLists
from twotower.new_items.grow import with_items
from twotower.retrieval.approximate import ItemIndex
from twotower.retrieval.exact import Candidates, top_k
from twotower.retrieval.popular import Popular
from twotower.retrieval.rerank import Reranking, SecondStage
from twotower.serving.filters import Filter, item_mask
from twotower.serving.new_items import EncodedItems, encode_frame, read_frame
from twotower.serving.query_search import Query, QuerySearch, nothing
from twotower.serving.query_vectors import (
    history_vectors,
    inverse_lengths,
    reads_histories,
    tower_width,
    user_vectors,
)
from twotower.serving.recommendations import Recommendations, Source


class Recommender:
    """Exact recommendations from the artifacts of the refit stage; safe to share among threads.

    No item appears twice in a row. Ids unknown to the model are not errors: an unknown user gets
    popular items, an unknown item in a history or a filter is ignored, and the `source` of each row
    says what it was computed from. An id of the wrong type is an error.

    Attributes:
        artifacts: the model.
        titles: what people know items by, by id, for answers to show; may be set. None, as a model
            folder has none: items are shown by their ids.
    """

    def __init__(self, artifacts: Artifacts, index: ItemIndex | None = None) -> None:
        self.artifacts = artifacts
        self.titles: Mapping[Id, str] | None = None
        self._index = index
        self._top_k = top_k if index is None else index.top_k
        self._popular = Popular(artifacts.item_counts)

    @classmethod
    def load(
        cls,
        path: Path | str = ARTIFACTS,
        *,
        mmap: bool = True,
        approximate: bool = False,
        verify: bool = True,
    ) -> "Recommender":
        """Open the folder of a model.

        Args:
            path: what the refit stage wrote.
            mmap: memory-map vectors and ids, which processes then share, instead of keeping what is
                read.
            approximate: search the index that `refit.index` makes. Requests with a filter that
                leaves few items or with a long history, and similar items, are still answered
                exactly.
            verify: compare all files with their hashes before anything is believed, which reads
                them once in each process. False opens a model of any size at once, if it is mapped;
                for folders of your own that something else vouches for.

        Raises:
            ArtifactError: if the folder is missing, incomplete, damaged, of another format version,
                or has no index although `approximate` is set.
            ConfigError: if `approximate` is set and usearch is not installed.
        """
        artifacts = load_artifacts(Path(path), mmap=mmap, verify=verify)
        return cls(artifacts, artifacts.index(mmap=mmap) if approximate else None)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.num_users:,} users, {self.num_items:,} items>"

    def warm_up(self) -> None:
        """Load what the first requests would wait for: ids, popularity, lengths, weights."""
        for ids in (self.artifacts.user_ids, self.artifacts.item_ids):
            ids.encode(ids.decode(np.arange(min(1, len(ids)))))
        self._popular.ranking(None)
        self._inverse_lengths  # noqa: B018 - computed once and cached
        self.artifacts.catalogue  # noqa: B018 - as above; later, its folder may be another's
        if self.num_items and reads_histories(self.artifacts):
            self.recommend_from_histories([self.artifacts.item_ids.decode(np.zeros(1, np.int64))])

    @property
    def num_users(self) -> int:
        """Number of users that the model knows."""
        return len(self.artifacts.user_ids)

    @property
    def num_items(self) -> int:
        """Number of items that the model knows."""
        return len(self.artifacts.item_ids)

    def recommend(
        self,
        user_ids: Iterable[Id],
        k: int = 10,
        exclude_seen: bool = True,
        filter: Filter | None = None,  # noqa: A002 - the name that a caller would look for
        *,
        diversity: float = 0.0,
        max_per: Mapping[str, int] | None = None,
    ) -> Recommendations:
        """The best items for each user, exactly.

        Args:
            user_ids: one row per id, in this order, repeated ones too.
            k: number of items per user, at least 1; if the catalogue is smaller, all of it.
            exclude_seen: whether to leave out items of the user's training history.
            filter: items that may be recommended (see `Filter`); None: all.
            diversity: from 0, the best items, to 1, the best one and what differs most from it;
                see `Reranking`.
            max_per: at most so many items per value of a feature, e.g. {"brand": 2}; see there.

        Returns:
            Source "model"; "popularity" for users that are unknown, or whose vector is zero.

        Raises:
            RequestError: if an id is of the wrong type, k below 1, or another argument unusable.
        """
        checked = self.artifacts.user_ids.check(user_ids)
        users = self.artifacts.user_ids.encode(checked)
        vectors = user_vectors(self.artifacts, users)
        seen = ItemLists.empty(len(users))
        if exclude_seen:
            seen = self.artifacts.seen.select(users)
        query = Query(checked, "user_id", "model", vectors, seen)
        return self._rank(query, k, filter, Reranking(diversity, max_per))

    def recommend_from_history(
        self,
        items: Iterable[Id],
        k: int = 10,
        exclude_seen: bool = True,
        filter: Filter | None = None,  # noqa: A002 - as above
        *,
        diversity: float = 0.0,
        max_per: Mapping[str, int] | None = None,
    ) -> Recommendations:
        """The best items for one new user; see `recommend_from_histories`."""
        return self.recommend_from_histories(
            [items], k, exclude_seen, filter, diversity=diversity, max_per=max_per
        )

    def recommend_from_histories(
        self,
        histories: Sequence[Iterable[Id]],
        k: int = 10,
        exclude_seen: bool = True,
        filter: Filter | None = None,  # noqa: A002 - as above
        *,
        diversity: float = 0.0,
        max_per: Mapping[str, int] | None = None,
    ) -> Recommendations:
        """The best items for new users, by their histories.

        Args:
            histories: items of each user, the latest last; of repeated items the last counts,
                unknown items are ignored. The order matters to models with `history_decay` and to
                sequence towers.
            k: number of items per user, at least 1; if the catalogue is smaller, all of it.
            exclude_seen: whether to leave out the items of the history.
            filter: items that may be recommended (see `Filter`); None: all.
            diversity: as for `recommend`.
            max_per: as for `recommend`.

        Returns:
            Source "history" if the model's user tower reads histories; otherwise "fold-in", the
            mean of the items' vectors (L2-normalised if the model compares by cosine);
            "popularity" where no item is known, or the vector is zero.

        Raises:
            RequestError: if an id is of the wrong type, k below 1, or another argument unusable.
        """
        encoded = [_distinct(self.artifacts.item_ids.encode(items)) for items in histories]
        vectors = history_vectors(self.artifacts, encoded)
        source: Source = "history" if reads_histories(self.artifacts) else "fold-in"
        seen = ItemLists.empty(len(encoded))
        if exclude_seen:
            seen = ItemLists.of([np.sort(items) for items in encoded])
        query = Query(list(range(len(encoded))), "history", source, vectors, seen)
        return self._rank(query, k, filter, Reranking(diversity, max_per))

    def similar_items(
        self,
        items: Iterable[Id],
        k: int = 10,
        filter: Filter | None = None,  # noqa: A002 - as above
    ) -> Recommendations:
        """The items with the largest cosine similarity to each item, without the item itself.

        Args:
            items: one row per id, in this order, repeated ones too.
            k: number of items per row, at least 1; if the catalogue is smaller, all of it.
            filter: items that may be returned (see `Filter`); None: all.

        Returns:
            Source "model"; "unknown", and no items, for an item that is unknown, or whose vector is
            zero.

        Raises:
            RequestError: if an id is of the wrong type, k below 1, or `filter` unusable.
        """
        checked = self.artifacts.item_ids.check(items)
        index = self.artifacts.item_ids.encode(checked)
        width = self._width(k)
        mask = item_mask(filter, self.artifacts.item_ids)
        best, scores = nothing(len(index), width)
        rows = np.flatnonzero((index >= 0) & (self._inverse_lengths[index] > 0))
        vectors = self._tower_vecs[index[rows]]
        vectors = vectors * self._inverse_lengths[index[rows], None]
        candidates = Candidates(self._tower_vecs, mask, self._inverse_lengths)
        itself = ItemLists(np.arange(len(rows) + 1), index[rows])
        best[rows], scores[rows] = top_k(vectors, candidates, width, itself)
        source: list[Source] = ["unknown"] * len(index)
        for row in rows:
            source[row] = "model"
        ids = self.artifacts.item_ids
        return Recommendations(checked, "similar_to", best, scores, source, ids, self.titles)

    def cold_items(self) -> list[Id]:
        """Ids of the items without a training row, which their side features alone describe."""
        return self.artifacts.item_ids.decode(np.flatnonzero(self.artifacts.item_counts == 0))

    def encode_items(self, frame: Any) -> EncodedItems:
        """Vectors of any items by their side features, as the item tower makes them.

        Args:
            frame: of pandas (or polars), a row for each item, and a column for each feature of the
                model's items: text; a list of text, or text with the feature's separator; a number;
                a vector, as an array or a list. A blank cell is a missing value, and so are all of
                a feature without a column; one feature the frame must have. A column item_id is
                optional.

        Raises:
            DataError: of all that is wrong with the frame: columns that are no feature, cells.
            RequestError: if an id is not of the type of the model's, the frame has no rows, or the
                model's item tower says nothing of features.
        """
        return encode_frame(self.artifacts, frame)

    def add_items(self, frame: Any) -> Self:
        """A recommender that has further items as well; this one stays as it is.

        So threads that use this one are not disturbed. The new items are recommended, searched,
        filtered and similar to others by their side features, in the index too if there is one.
        Nobody has them in the training history, and none of them is popular. In histories they
        count like the rarest item, but add nothing for `model.init: ridge`, where what an item adds
        is learnt from its interactions. Vectors of items and the weights are copied.

        Args:
            frame: as for `encode_items`, with the column item_id.

        Raises:
            DataError: see `encode_items`; also of ids that are blank, repeated, or known.
            RequestError: see `encode_items`; also without ids.
        """
        new, _ = read_frame(self.artifacts, frame)
        larger = with_items(self.artifacts, new.ids, new.features)
        index = self._index and self._index.with_vectors(larger.item_vecs, self.num_items)
        grown = copy.copy(self)
        for name, kind in vars(Recommender).items():
            if isinstance(kind, cached_property):
                vars(grown).pop(name, None)
        Recommender.__init__(grown, larger, index)
        grown.titles = self.titles
        return grown

    def _rank(
        self, query: Query, k: int, item_filter: Filter | None, asked: Reranking
    ) -> Recommendations:
        """Rank items by each vector; a vector of zeros says nothing, and gets popular items."""
        width = self._width(k)
        mask = item_mask(item_filter, self.artifacts.item_ids)
        candidates = Candidates(self.artifacts.item_vecs, mask)
        search = QuerySearch(query, self._top_k, candidates, self._popular)
        if asked.is_asked_for:
            features = self.artifacts.catalogue.items.features if asked.max_per else Features()
            stage = SecondStage(asked, features, self._tower_vecs, self._inverse_lengths)
            items, scores = stage.top_k(search, width, query.seen)
        else:
            items, scores = search(np.arange(len(query.vectors)), width, query.seen)
        ids = self.artifacts.item_ids
        return Recommendations(
            query.ids, query.name, items, scores, search.sources(), ids, self.titles
        )

    def _width(self, k: int) -> int:
        try:
            length = operator.index(k)
        except TypeError:
            length = 0
        if isinstance(k, bool) or length < 1:
            msg = f"k must be an integer of at least 1, got {k!r}"
            raise RequestError(msg)
        return min(length, self.num_items)

    @property
    def _tower_vecs(self) -> Float32Array:
        """[num_items, width] item vectors without their popularity."""
        return self.artifacts.item_vecs[:, : tower_width(self.artifacts)]

    @cached_property
    def _inverse_lengths(self) -> Float32Array:
        return inverse_lengths(self._tower_vecs)


def _distinct(items: Int64Array) -> Int64Array:
    """The distinct known items (not -1), in the order of their last occurrences."""
    backwards = items[items >= 0][::-1]
    _, first = np.unique(backwards, return_index=True)
    return backwards[np.sort(first)][::-1]
