"""The interactions of one source, checked and converted."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from twotower.common.arrays import BoolArray, Float64Array, Int8Array
from twotower.config.data import LARGEST_WEIGHT, DataConfig
from twotower.data.splits import GIVEN_NAMES, UNSPLIT
from twotower.ingest.convert import (
    SECONDS_RULE,
    as_ids,
    as_numbers,
    as_seconds,
    as_text,
    blank,
    describe_ids,
)
from twotower.ingest.recognised_names import event_weights
from twotower.ingest.row_check import RowCheck, load_columns
from twotower.ingest.side_tables import SideTable
from twotower.ingest.sources.source import Source

Tables = Mapping[str, SideTable | None]
"""The "users" and "items" tables; None: there is none."""


def read_rows(
    source: Source, roles: Mapping[str, str], label: int, data: DataConfig, tables: Tables
) -> tuple[pa.Table, RowCheck]:
    """Read and check one source of interactions.

    Args:
        source: of the rows.
        roles: column of each role that it has: user, item, timestamp, event, weight, split.
        label: split of the rows, unless a column gives it; a position in SPLITS, or UNSPLIT.
        data: section `data`.
        tables: a row with an id that a table lacks is invalid.

    Returns:
        The valid rows in their order, and how many were read and dropped. Columns: user and item
        (int64 or string, not yet settled as integers or text), timestamp (float64 seconds since
        1970, UTC; 0 without a time column), weight (float64, >= 0; 1 without event and weight
        columns), split (int8 position in SPLITS, or UNSPLIT).

    Raises:
        DataError: if the source is damaged or empty, or a row breaks a rule and the policy is
            "error".
    """
    table, check = load_columns(source, roles.values(), data)
    columns = {role: table[name] for role, name in roles.items()}
    reader = _Reader(source.name, roles, columns, check)
    rows = pa.table(
        {
            "user": reader.ids("user", tables["users"]),
            "item": reader.ids("item", tables["items"]),
            "timestamp": reader.timestamps(),
            "weight": reader.weights(data.event_weights),
            "split": reader.splits(label),
        }
    )
    return rows.filter(pa.array(check.valid)), check


@dataclass(frozen=True)
class _Reader:
    """Converts the columns of one source and marks invalid rows in `check`."""

    source: str
    roles: Mapping[str, str]
    columns: Mapping[str, pa.ChunkedArray]
    check: RowCheck

    def _where(self, role: str) -> str:
        return f"{self.source}: column {self.roles[role]!r}"

    def _require(self, ok: BoolArray, role: str, rule: str, expected: str) -> None:
        self.check.require(
            ok, rule=rule, column=self.roles[role], expected=expected, values=self.columns[role]
        )

    def ids(self, role: str, table: SideTable | None) -> pa.ChunkedArray:
        column = self.columns[role]
        ids = as_ids(column, self._where(role))
        self._require(~blank(column), role, f"blank_{role}", "must not be blank")
        if table is not None:
            table_ids = table.ids.cast(pa.string()).combine_chunks()
            in_table = pc.is_in(ids.cast(pa.string()), value_set=table_ids)
            expected = f"must be an id in {table.file} ({describe_ids(table.ids)})"
            self._require(np.asarray(in_table.to_numpy()), role, f"unknown_{role}", expected)
        return ids

    def timestamps(self) -> Float64Array:
        if "timestamp" not in self.roles:
            return np.zeros(len(self.check.valid))
        seconds, valid = as_seconds(self.columns["timestamp"], self._where("timestamp"))
        self._require(valid, "timestamp", "bad_timestamp", SECONDS_RULE)
        return seconds

    def weights(self, by_event: Mapping[str, float]) -> Float64Array:
        weight = np.ones(len(self.check.valid))
        if "event" in self.roles:
            weight = self._event_weights(by_event)
        if "weight" in self.roles:
            own = as_numbers(self.columns["weight"], self._where("weight"))
            with np.errstate(over="ignore"):
                weight = weight * own
            ok = (own >= 0) & (weight <= LARGEST_WEIGHT)
            expected = f"must be a number from 0 to {LARGEST_WEIGHT:g}"
            self._require(ok, "weight", "bad_weight", expected)
        return weight

    def _event_weights(self, by_event: Mapping[str, float]) -> Float64Array:
        text = as_text(self.columns["event"], self._where("event"))
        events = pc.dictionary_encode(pc.fill_null(text, "")).combine_chunks()
        weights = event_weights(events.dictionary.to_pylist(), by_event)
        table = np.array([np.nan if value is None else value for value in weights] or [1.0])
        weight: Float64Array = table[events.indices.to_numpy()]
        expected = (
            f"must be an event type in data.event_weights ({', '.join(by_event)}; add others "
            "there, or set data.interactions.columns.event: false to ignore the column)"
        )
        self._require(np.isfinite(weight), "event", "unknown_event", expected)
        return weight

    def splits(self, label: int) -> Int8Array:
        if "split" not in self.roles:
            return np.full(len(self.check.valid), label, dtype=np.int8)
        text = as_text(self.columns["split"], self._where("split"))
        names = pc.utf8_lower(pc.utf8_trim_whitespace(pc.fill_null(text, "")))
        index = pc.index_in(names, value_set=pa.array(list(GIVEN_NAMES)))
        position = np.asarray(pc.fill_null(index, -1).to_numpy())
        expected = f"must be one of {', '.join(GIVEN_NAMES)}"
        self._require(position >= 0, "split", "unknown_split", expected)
        labels: Int8Array = np.array([*GIVEN_NAMES.values(), UNSPLIT], dtype=np.int8)[position]
        return labels
