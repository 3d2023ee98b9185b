"""What a recommender returns."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd

from twotower.artifacts import Id, IdColumn
from twotower.common.arrays import Float32Array, Int64Array

Source = Literal["model", "history", "fold-in", "popularity", "unknown"]
"""What a row of recommendations was computed from.

model: the vector that training gave the user or the item.
history: a history read by the model's own user tower.
fold-in: the mean of the vectors of the items of a history; the model has no such tower.
popularity: the items' numbers of training rows, because nothing is known about the user.
unknown: nothing, because nothing is known about the item; the row is empty.
"""


@dataclass(frozen=True)
class Recommendations:
    """Ranked items, one row per query.

    Attributes:
        queries: what each row is for, in the order of the request: user ids, item ids (similar
            items), or positions of histories.
        query_name: what `queries` are: "user_id", "similar_to" or "history".
        item_idx: [rows, width] int64, best first, equal scores by index; -1 past the end. The
            width is k, or the size of the catalogue if that is smaller.
        scores: [rows, width] float32; NaN past the end. Inner products, cosines if the model
            compares by cosine or for similar items, training counts for source "popularity":
            comparable within a row only.
        source: of each row.
        catalogue: ids of all items, by index.
    """

    queries: Sequence[Id]
    query_name: str
    item_idx: Int64Array
    scores: Float32Array
    source: Sequence[Source]
    catalogue: IdColumn

    def __len__(self) -> int:
        return len(self.queries)

    @cached_property
    def counts(self) -> Int64Array:
        """[rows] number of items in each row; below k where no more may be recommended."""
        filled: Int64Array = (self.item_idx >= 0).sum(axis=1)
        return filled

    @cached_property
    def item_ids(self) -> list[list[Id]]:
        """Ids of the recommended items, one list per row, best first."""
        ids = self.catalogue.decode(self.item_idx[self.item_idx >= 0])
        ends = np.cumsum(self.counts).tolist()
        return [ids[end - count : end] for end, count in zip(ends, self.counts, strict=True)]

    def rows(self) -> Iterator[dict[str, Any]]:
        """Each row as plain values: `query_name`, `items`, `scores`, `source`."""
        for row, (query, items, source) in enumerate(
            zip(self.queries, self.item_ids, self.source, strict=True)
        ):
            scores = self.scores[row, : len(items)].tolist()
            yield {self.query_name: query, "items": items, "scores": scores, "source": source}

    def to_frame(self) -> pd.DataFrame:
        """One row per recommended item: `query_name`, rank (from 1), item_id, score, source."""
        filled = self.item_idx >= 0
        row_of = np.repeat(np.arange(len(self)), self.counts)
        dtype = np.int64 if self.catalogue.integers else str  # an empty column would be float
        items = self.catalogue.decode(self.item_idx[filled])
        return pd.DataFrame(
            {
                self.query_name: pd.Series(list(self.queries)).take(row_of).to_numpy(),
                "rank": np.nonzero(filled)[1] + 1,
                "item_id": pd.Series(items, dtype=dtype),
                "score": self.scores[filled],
                "source": pd.Series(list(self.source), dtype=str).take(row_of).to_numpy(),
            }
        )
