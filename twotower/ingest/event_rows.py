"""The rows of one interactions file, checked and converted."""

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
from twotower.ingest.recognise import event_weights
from twotower.ingest.row_check import RowCheck
from twotower.ingest.sources.source import Source
from twotower.ingest.tables import SideTable

Tables = Mapping[str, SideTable | None]


@dataclass(frozen=True)
class EventRows:
    """The valid rows of one file, in file order.

    Attributes:
        source: the file.
        roles: column of each role that the file has.
        user: [num_rows] int64 or string ids, not yet settled as integers or text.
        item: likewise.
        timestamp: [num_rows] float64 seconds since 1970, UTC; 0 without a time column.
        weight: [num_rows] float64, >= 0; 1 without event and weight columns.
        split: [num_rows] int8 position in SPLITS, or UNSPLIT.
        num_read: rows in the file.
        dropped: rows dropped per rule.
    """

    source: Source
    roles: Mapping[str, str]
    user: pa.ChunkedArray
    item: pa.ChunkedArray
    timestamp: Float64Array
    weight: Float64Array
    split: Int8Array
    num_read: int
    dropped: Mapping[str, int]


def load_rows(
    source: Source, roles: Mapping[str, str], label: int, data: DataConfig, tables: Tables
) -> EventRows:
    """Read and check one file.

    Args:
        source: the file.
        roles: column of each role that the file has: user, item, timestamp, event, weight, split.
        label: split of the rows, unless a column says it; a position in SPLITS, or UNSPLIT.
        data: section `data`.
        tables: "users" and "items"; a row with an id that a table lacks is invalid.

    Raises:
        DataError: if the file is damaged or empty, or a row breaks a rule and that is not allowed.
    """
    table, num_ragged = source.load(list(dict.fromkeys(roles.values())))
    check = RowCheck(source, table.num_rows, num_ragged, data)
    reader = _Reader(source, roles, {role: table[name] for role, name in roles.items()}, check)
    ids = {role: reader.ids(role, tables[f"{role}s"]) for role in ("user", "item")}
    timestamp = reader.timestamps()
    weight = reader.weights(data.event_weights)
    split = reader.splits(label)
    valid = check.valid
    return EventRows(
        source=source,
        roles=roles,
        user=ids["user"].filter(pa.array(valid)),
        item=ids["item"].filter(pa.array(valid)),
        timestamp=timestamp[valid],
        weight=weight[valid],
        split=split[valid],
        num_read=table.num_rows + num_ragged,
        dropped=check.dropped,
    )


@dataclass(frozen=True)
class _Reader:
    """Converts the columns of one file and tells `check` what is wrong."""

    source: Source
    roles: Mapping[str, str]
    columns: Mapping[str, pa.ChunkedArray]
    check: RowCheck

    def _where(self, role: str) -> str:
        return f"{self.source.path}: column {self.roles[role]!r}"

    def _require(self, ok: BoolArray, role: str, rule: str, expected: str) -> None:
        self.check.require(
            ok, rule=rule, column=self.roles[role], expected=expected, values=self.columns[role]
        )

    def ids(self, role: str, table: SideTable | None) -> pa.ChunkedArray:
        column = self.columns[role]
        ids = as_ids(column, self._where(role))
        self._require(~blank(column), role, f"blank_{role}", "must not be blank")
        if table is not None:
            known = pc.is_in(
                ids.cast(pa.string()), value_set=table.ids.cast(pa.string()).combine_chunks()
            )
            expected = f"must hold ids of {table.path.name} (there: {describe_ids(table.ids)})"
            self._require(np.asarray(known.to_numpy()), role, f"unknown_{role}", expected)
        return ids

    def timestamps(self) -> Float64Array:
        if "timestamp" not in self.roles:
            return np.zeros(len(self.check.valid))
        seconds, valid = as_seconds(self.columns["timestamp"], self._where("timestamp"))
        self._require(valid, "timestamp", "bad_timestamp", SECONDS_RULE)
        return seconds

    def weights(self, configured: Mapping[str, float]) -> Float64Array:
        weight = np.ones(len(self.check.valid))
        if "event" in self.roles:
            text = as_text(self.columns["event"], self._where("event"))
            events = pc.dictionary_encode(pc.fill_null(text, "")).combine_chunks()
            known = event_weights(events.dictionary.to_pylist(), configured)
            table = np.array([np.nan if value is None else value for value in known] or [1.0])
            weight = table[events.indices.to_numpy()]
            expected = (
                f"must hold event types of data.event_weights ({', '.join(configured)}; others "
                "can be added there, and data.interactions.columns.event: false ignores all)"
            )
            self._require(np.isfinite(weight), "event", "unknown_event", expected)
        if "weight" in self.roles:
            own = as_numbers(self.columns["weight"], self._where("weight"))
            expected = f"must be a number from 0 to {LARGEST_WEIGHT:g}"
            with np.errstate(over="ignore"):
                weight = weight * own
            ok = (own >= 0) & (weight <= LARGEST_WEIGHT)
            self._require(ok, "weight", "bad_weight", expected)
        return weight

    def splits(self, label: int) -> Int8Array:
        if "split" not in self.roles:
            return np.full(len(self.check.valid), label, dtype=np.int8)
        text = as_text(self.columns["split"], self._where("split"))
        names = pc.utf8_lower(pc.utf8_trim_whitespace(pc.fill_null(text, "")))
        position = pc.index_in(names, value_set=pa.array(list(GIVEN_NAMES)))
        found = np.asarray(pc.fill_null(position, -1).to_numpy())
        self._require(found >= 0, "split", "unknown_split", f"must be {' or '.join(GIVEN_NAMES)}")
        labels: Int8Array = np.array([*GIVEN_NAMES.values(), UNSPLIT], dtype=np.int8)[found]
        return labels
