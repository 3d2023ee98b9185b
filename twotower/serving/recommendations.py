"""What a recommender returns."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd

from twotower.artifacts import Id, IdColumn
from twotower.common.arrays import Float32Array, Int64Array
from twotower.serving.printed import Printed

PRINTED = 60
"""Lines of items that are printed."""
UNITS = {
    "user_id": ("user", "users"),
    "similar_to": ("item", "items"),
    "history": ("history", "histories"),
}
"""What one query, and several, are called."""

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
    """Ranked items, one row per query; printed, or at the end of a notebook's cell, a table.

    Attributes:
        queries: what each row is for, in the order of the request: user ids, item ids (similar
            items), or positions of histories.
        query_name: what `queries` are: "user_id", "similar_to" or "history".
        item_idx: [rows, width] int64, best first, equal scores by index, or in the order of the
            second stage if one was asked for; -1 past the end. The width is k, or the size of the
            catalogue if that is smaller.
        scores: [rows, width] float32; NaN past the end. Inner products, cosines if the model
            compares by cosine or for similar items, training counts for source "popularity":
            comparable within a row only.
        source: of each row.
        catalogue: ids of all items, by index.
        titles: what people know items by, by id; some may have none. None: nothing is known.
    """

    queries: Sequence[Id]
    query_name: str
    item_idx: Int64Array
    scores: Float32Array
    source: Sequence[Source]
    catalogue: IdColumn
    titles: Mapping[Id, str] | None = None

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
        """One row per recommended item: `query_name`, rank (from 1), item_id, score, source.

        Where titles are known, `title` comes after item_id; None for an item without one.
        """
        filled = self.item_idx >= 0
        row_of = np.repeat(np.arange(len(self)), self.counts)
        dtype = np.int64 if self.catalogue.integers else str  # an empty column would be float
        items = self.catalogue.decode(self.item_idx[filled])
        titles = self.titles
        named = {} if titles is None else {"title": pd.Series(map(titles.get, items), dtype=object)}
        return pd.DataFrame(
            {
                self.query_name: pd.Series(list(self.queries)).take(row_of).to_numpy(),
                "rank": np.nonzero(filled)[1] + 1,
                "item_id": pd.Series(items, dtype=dtype),
                **named,
                "score": self.scores[filled],
                "source": pd.Series(list(self.source), dtype=str).take(row_of).to_numpy(),
            }
        )

    def __repr__(self) -> str:
        return self._printed().text()

    def _repr_html_(self) -> str:
        return self._printed().html()

    def _printed(self) -> Printed:
        """The first rows as text."""
        known = [] if self.titles is None else ["title"]
        columns = [self.query_name, "source", "rank", "item_id", *known, "score"]
        first = replace(
            self,
            queries=self.queries[:PRINTED],
            item_idx=self.item_idx[:PRINTED],
            scores=self.scores[:PRINTED],
            source=self.source[:PRINTED],
        )
        printed: list[list[list[str]]] = []
        room = PRINTED
        for cells in map(self._cells, first.rows()):
            if room <= 0:
                break
            printed.append(self._cut(cells, room))
            room -= len(cells)
        num_more = len(self) - len(printed)
        units = UNITS[self.query_name][num_more != 1]
        return Printed(columns, 2, printed, f"… and {num_more:,} more {units}" * bool(num_more))

    def _cut(self, cells: list[list[str]], room: int) -> list[list[str]]:
        """As many lines as there is room for, and one that says how many are missing."""
        if len(cells) <= room:
            return cells
        missing = ["…", f"{len(cells) - room:,} more"]
        blank = [""] * (len(cells[0]) - 4)
        return [*cells[:room], [*cells[0][:2], *missing, *blank]]

    def _cells(self, row: Mapping[str, Any]) -> list[list[str]]:
        """A line of cells for each item of a row; one that says so where there is none."""
        shared = [str(row[self.query_name]), row["source"]]
        if not row["items"]:
            return [[*shared, "", "none", *([] if self.titles is None else [""]), ""]]
        digits = 0 if row["source"] == "popularity" else 4  # that is a number of rows
        lines = []
        for rank, (item, score) in enumerate(zip(row["items"], row["scores"], strict=True), 1):
            title = [] if self.titles is None else [self.titles.get(item, "")]
            lines.append([*shared, str(rank), str(item), *title, f"{score:.{digits}f}"])
        return lines
