"""What a recommender answers."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd

from twotower.artifacts import Id, IdColumn
from twotower.common.arrays import Float32Array, Int64Array

Source = Literal["model", "history", "fold-in", "popularity", "unknown"]
"""What a row of an answer was computed from.

model: the vector that training gave the user or the item.
history: a history pooled by the model's own user tower.
fold-in: the mean of the vectors of the items of a history; the model has no such tower.
popularity: training counts, because the model knows nothing of the user.
unknown: nothing; the row is empty.
"""


@dataclass(frozen=True)
class Recommendations:
    """Ranked items, a row for each thing that was asked about.

    Attributes:
        asked: what the rows are for, in the order of the request: user ids, item ids (similar
            items), or positions of histories.
        asked_name: what `asked` holds: "user_id", "similar_to" or "history".
        item_idx: [rows, width] int64, best first, equal scores by index; -1 past the end. The
            width is k, or the size of the catalogue if that is smaller.
        scores: [rows, width] float32; NaN past the end. Inner products, cosines if the model
            compares by cosine or for similar items, training counts for source "popularity":
            comparable within a row only.
        source: of each row.
        item_ids_of: the catalogue.
    """

    asked: Sequence[Id]
    asked_name: str
    item_idx: Int64Array
    scores: Float32Array
    source: Sequence[Source]
    item_ids_of: IdColumn

    def __len__(self) -> int:
        return len(self.asked)

    @cached_property
    def counts(self) -> Int64Array:
        """[rows] number of items in each row; fewer than k where no more may be recommended."""
        filled: Int64Array = (self.item_idx >= 0).sum(axis=1)
        return filled

    @cached_property
    def item_ids(self) -> list[list[Id]]:
        """The ids of the recommended items, a list a row, best first."""
        ids = self.item_ids_of.decode(self.item_idx[self.item_idx >= 0])
        ends = np.cumsum(self.counts).tolist()
        return [ids[end - count : end] for end, count in zip(ends, self.counts, strict=True)]

    def rows(self) -> Iterator[dict[str, Any]]:
        """Each row as plain values: `asked_name`, `items`, `scores`, `source`."""
        for row, (asked, items, source) in enumerate(
            zip(self.asked, self.item_ids, self.source, strict=True)
        ):
            scores = self.scores[row, : len(items)].tolist()
            yield {self.asked_name: asked, "items": items, "scores": scores, "source": source}

    def to_frame(self) -> pd.DataFrame:
        """A line for each recommended item: `asked_name`, rank (from 1), item_id, score, source."""
        filled = self.item_idx >= 0
        of = np.repeat(np.arange(len(self)), self.counts)
        kind = np.int64 if self.item_ids_of.integers else str  # an empty column would be float
        items = self.item_ids_of.decode(self.item_idx[filled])
        return pd.DataFrame(
            {
                self.asked_name: pd.Series(list(self.asked)).take(of).to_numpy(),
                "rank": np.nonzero(filled)[1] + 1,
                "item_id": pd.Series(items, dtype=kind),
                "score": self.scores[filled],
                "source": pd.Series(list(self.source), dtype=str).take(of).to_numpy(),
            }
        )
