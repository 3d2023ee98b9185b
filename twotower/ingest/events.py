"""Interactions as a few flat arrays: each id once, and in each row its code."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from twotower.common.arrays import BoolArray, Int8Array, Int32Array, Int64Array
from twotower.data.prepared import PARTS, RELEVANT
from twotower.data.time_order import time_order

SIDES = ("user", "item")


class Events:
    """Rows of interactions.

    Changes are made in place, a column at a time: rows are many, and are never held twice.

    Attributes:
        ids: of "user" and "item": [num_ids] distinct ids, ascending, int64 or string. Each has a
            row.
        columns: [num_rows] each: user and item (int32 position in `ids`), timestamp (seconds since
            1970, UTC, float64 until `sort`, then int64; 0 without times), weight (float64, >= 0),
            split (int8 position in PARTS, or UNSPLIT), and relevant (bool) unless all rows are.
    """

    def __init__(self, ids: dict[str, pa.Array], columns: dict[str, NDArray[Any]]) -> None:
        self.ids = ids
        self.columns = columns

    def __len__(self) -> int:
        return len(self.columns["split"])

    @property
    def labels(self) -> Int8Array:
        """[num_rows] position of each row's split in PARTS, or UNSPLIT."""
        return self.columns["split"]

    @property
    def timestamps(self) -> Int64Array:
        """[num_rows] seconds since 1970, UTC, of sorted rows."""
        return self.columns["timestamp"]

    def id_list(self, side: str) -> list[Any]:
        """[num_ids] integer or text ids."""
        found: list[Any] = self.ids[side].to_pylist()
        return found

    def take(self, rows: Int64Array) -> None:
        """Put these rows, each of which is there, in this order."""
        for name, column in self.columns.items():
            self.columns[name] = column[rows]

    def keep(self, mask: BoolArray) -> None:
        """Keep the rows where the mask is true, and the ids that they have."""
        if not mask.all():
            for name, column in self.columns.items():
                self.columns[name] = column[mask]
            for side in SIDES:
                has_rows = np.bincount(self.columns[side], minlength=len(self.ids[side])) > 0
                new_codes = (np.cumsum(has_rows) - 1).astype(np.int32)
                self.ids[side] = self.ids[side].filter(pa.array(has_rows))
                self.columns[side] = new_codes[self.columns[side]]

    def sort(self) -> None:
        """Put the rows by user id, then time, then as they come; times become whole seconds."""
        self.take(time_order(self.columns["user"], self.columns["timestamp"]))
        self.columns["timestamp"] = np.floor(self.columns["timestamp"]).astype(np.int64)

    def rows_of(self, part: str) -> Int64Array:
        """[num_rows_of_part] positions of the rows of one of PARTS."""
        return np.flatnonzero(self.labels == PARTS.index(part))

    def ids_of(self, part: str, side: str) -> pa.Array:
        """[num_ids_of_part] the distinct ids of one of PARTS, ascending."""
        has_rows = np.zeros(len(self.ids[side]), dtype=bool)
        has_rows[self.columns[side][self.rows_of(part)]] = True
        return self.ids[side].filter(pa.array(has_rows))

    def table(self, rows: Int64Array) -> pa.Table:
        """These rows as files of prepared data hold them; see twotower.data.prepared."""
        columns = {
            **{
                f"{side}_id": self.ids[side].take(pa.array(self.columns[side][rows]))
                for side in SIDES
            },
            "timestamp": self.timestamps[rows],
            "weight": self.columns["weight"][rows].astype(np.float32),
        }
        if RELEVANT in self.columns:
            columns[RELEVANT] = self.columns[RELEVANT][rows]
        return pa.table(columns)

    def frames(self) -> dict[str, pd.DataFrame]:
        """The rows of all of PARTS, as `read_parts` reads them, but for weights not yet rounded."""
        rows = {part: self.rows_of(part) for part in PARTS}
        weight = self.columns["weight"]
        return {
            part: self.table(of).to_pandas().assign(weight=weight[of]) for part, of in rows.items()
        }


def coded(values: pa.Array, codes: Int32Array) -> tuple[pa.Array, Int32Array]:
    """Distinct ids of rows, ascending, and [num_rows] the position of each row's.

    Args:
        values: [num_values] int64 or string; several may be equal, and those without a row null.
        codes: [num_rows] position in `values`.
    """
    encoded = values.dictionary_encode()
    of_values = encoded.indices.fill_null(-1).to_numpy()
    has_rows = np.zeros(len(encoded.dictionary), dtype=bool)
    has_rows[of_values[np.bincount(codes, minlength=len(values)) > 0]] = True
    order = pc.sort_indices(encoded.dictionary).to_numpy()
    order = order[has_rows[order]]
    ranks = np.full(len(has_rows) + 1, -1, dtype=np.int32)  # the last one is that of null
    ranks[order] = np.arange(len(order), dtype=np.int32)
    return encoded.dictionary.take(pa.array(order)), ranks[of_values][codes]
