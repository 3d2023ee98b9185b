"""The interactions of one or several sources: read in batches, then checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from twotower.common.arrays import BoolArray, Float64Array, Int8Array
from twotower.common.errors import DataError
from twotower.common.progress import track
from twotower.config.data import LARGEST_WEIGHT, DataConfig
from twotower.data.id_text import IdText
from twotower.data.splits import GIVEN_NAMES, UNSPLIT
from twotower.ingest.codes import Codes
from twotower.ingest.convert import as_ids, as_numbers, as_text, number_rule
from twotower.ingest.ids import Ids, RawIds, choose_integers, describe_ids
from twotower.ingest.recognised_names import event_weights
from twotower.ingest.row_check import RowCheck
from twotower.ingest.side_tables import SideTable
from twotower.ingest.sources.source import Source
from twotower.ingest.times import RULE, EventTimes, Times

Tables = Mapping[str, SideTable | None]
"""The "users" and "items" tables; None: there is none."""
SIDES = ("user", "item")


@dataclass(frozen=True)
class Input:
    """A source of interactions.

    Attributes:
        source: of the rows.
        file: its name, without the folder.
        roles: column of each role that it has: user, item, timestamp, event, weight, split.
        label: split of the rows, unless a column gives it; a position in SPLITS, or UNSPLIT.
    """

    source: Source
    file: str
    roles: Mapping[str, str]
    label: int

    def where(self, role: str) -> str:
        """Source and column, for messages."""
        return f"{self.source.name}: column {self.roles[role]!r}"


@dataclass(frozen=True)
class EventRows:
    """Rows as read, of all inputs in their order.

    Attributes:
        inputs: the sources.
        num_rows: of each of them.
        ids: of "user" and "item".
        times: None without a time column.
        weight: [num_rows] float64 own weight, NaN where it is not a number; None without a column.
        texts: (distinct texts, [num_rows] position of each row's) of "event" and "split", where
            there is such a column.
    """

    inputs: Sequence[Input]
    num_rows: Sequence[int]
    ids: Mapping[str, Ids]
    times: EventTimes | None
    weight: Float64Array | None
    texts: Mapping[str, tuple[pa.Array, NDArray[np.int32]]]


def read_rows(inputs: Sequence[Input], data: DataConfig, tables: Tables) -> EventRows:
    """Read all sources; what ids and times are is decided over all of them.

    Args:
        inputs: with the same roles.
        data: section `data`.
        tables: ids have the types of the tables'.

    Raises:
        DataError: if a source is damaged, or a column has a type that does not fit.
    """
    columns = _Columns(data)
    num_rows = [columns.read(source) for source in inputs]
    first = inputs[0]
    ids = {side: _settle(columns.codes[side], inputs, side, data, tables) for side in SIDES}
    has = first.roles.keys()
    return EventRows(
        inputs,
        num_rows,
        ids,
        times=columns.times.finish(first.where("timestamp")) if "timestamp" in has else None,
        weight=np.concatenate(columns.weights) if "weight" in has else None,
        texts={role: columns.codes[role].finish() for role in ("event", "split") if role in has},
    )


class _Columns:
    """What is kept of each column, some rows at a time."""

    def __init__(self, data: DataConfig) -> None:
        self.codes = {role: Codes() for role in (*SIDES, "event", "split")}
        self.times = Times(data.interactions, data.decimal)
        self.weights: list[Float64Array] = [np.empty(0)]
        self._decimal = data.decimal

    def read(self, part: Input) -> int:
        """Read a whole source; the number of its rows."""
        num_rows = 0
        batches = part.source.batches(list(dict.fromkeys(part.roles.values())))
        for batch in track(batches, f"{part.file}: rows read", size=len):
            num_rows += len(batch)
            for role, name in part.roles.items():
                self._add(role, batch[name], part.where(role))
        return num_rows

    def _add(self, role: str, column: pa.Array, where: str) -> None:
        match role:
            case "user" | "item":
                self.codes[role].add(as_ids(column, where))
            case "timestamp":
                self.times.add(column, where)
            case "weight":
                self.weights.append(as_numbers(column, where, self._decimal))
            case _:
                self.codes[role].add(pc.fill_null(as_text(column, where), ""))


def _settle(
    codes: Codes, inputs: Sequence[Input], side: str, data: DataConfig, tables: Tables
) -> Ids:
    where, key = inputs[0].where(side), f"data.{side}s.id_type"
    values, positions = codes.finish()
    typed = {part.source.typed for part in inputs}
    headers = [part.roles[side] for part in inputs if part.source.has_header]
    raw = RawIds(values, positions, all(typed), where, headers)
    id_type = getattr(data, f"{side}s").id_type
    if id_type == "auto" and (len(typed) > 1 or codes.mixed):
        msg = f"{where}: ids have different types in the files; set {key} to integer or text"
        raise DataError(msg)
    table = tables[f"{side}s"]
    integers = choose_integers(raw, id_type, key, table.ids if table else None)
    return raw.settle(integers=integers, text=IdText.of(data.unicode))


@dataclass(frozen=True)
class Rule:
    """What every row must follow.

    Attributes:
        name: under which dropped rows are counted.
        role: of the column.
        expected: the rule as a phrase that continues "column x": "must not be blank".
        ok: [num_rows] whether a row follows it.
    """

    name: str
    role: str
    expected: str
    ok: BoolArray


def check_rows(rows: EventRows, rules: Sequence[Rule], data: DataConfig) -> list[RowCheck]:
    """Apply the rules to each source, in their order.

    Raises:
        DataError: if a source is empty, or a row breaks a rule and the policy is "error".
    """
    checks = []
    stop = 0
    for part, length in zip(rows.inputs, rows.num_rows, strict=True):
        start, stop = stop, stop + length
        check = RowCheck(part.source, length, data)
        for rule in rules:
            column = part.roles[rule.role]
            ok = rule.ok[start:stop]
            check.require(ok, rule=rule.name, column=column, expected=rule.expected)
        checks.append(check)
    return checks


def convert(rows: EventRows, data: DataConfig, tables: Tables) -> tuple[dict[str, Any], list[Rule]]:
    """What the rows mean, and the rules that they must follow.

    Args:
        rows: as read.
        data: section `data`.
        tables: a row with an id that a table lacks is invalid.

    Returns:
        Columns of all rows, valid or not: user and item (int64 or string), timestamp (float64
        seconds since 1970, UTC; 0 without a time column), weight (float64, >= 0; 1 without event
        and weight columns), split (int8 position in SPLITS, or UNSPLIT). And the rules.
    """
    rules = [_no_header(rows)]
    columns: dict[str, Any] = {}
    for side in SIDES:
        columns[side] = rows.ids[side].column
        id_type = getattr(data, f"{side}s").id_type
        rules += _id_rules(rows.ids[side], side, id_type, tables[f"{side}s"])
    total = sum(rows.num_rows)
    columns["timestamp"] = np.zeros(total) if rows.times is None else rows.times.seconds
    if rows.times is not None:
        expected = RULE.format(form=rows.times.form)
        rules.append(Rule("bad_timestamp", "timestamp", expected, rows.times.valid))
    columns["weight"], of_weights = _weights(rows, data)
    columns["split"], of_splits = _splits(rows)
    return columns, [*rules, *of_weights, *of_splits]


def _no_header(rows: EventRows) -> Rule:
    """Files that were put together with their headers have one among their rows."""
    repeated = np.ones(sum(rows.num_rows), dtype=bool)
    for side in SIDES:
        ids = rows.ids[side].raw
        names = pa.array(ids.headers, pa.string())
        values = IdText().column(ids.values.cast(pa.string()))
        is_name = pc.is_in(values, value_set=names).to_numpy(zero_copy_only=False)
        repeated &= rows.ids[side].each(is_name, null=False)
    return Rule("repeated_header", "user", "must not be the header again", ~repeated)


def _id_rules(ids: Ids, side: str, id_type: str, table: SideTable | None) -> list[Rule]:
    rules = [Rule(f"blank_{side}", side, "must not be blank", ~ids.blank)]
    if table is None or id_type == "integer":
        expected = f"must be an integer (data.{side}s.id_type: {id_type})"
        rules.append(Rule(f"bad_{side}", side, expected, ids.present | ids.blank))
    if table is not None:
        known = pc.is_in(ids.values, value_set=table.column.drop_null())
        known = np.asarray(known.to_numpy(zero_copy_only=False), dtype=bool)
        expected = f"must be an id in {table.file} ({describe_ids(table.column)})"
        rules.append(Rule(f"unknown_{side}", side, expected, ids.each(known, null=False)))
    return rules


def _weights(rows: EventRows, data: DataConfig) -> tuple[Float64Array, list[Rule]]:
    weight = np.ones(sum(rows.num_rows))
    rules = []
    if "event" in rows.texts:
        texts, codes = rows.texts["event"]
        by_text = event_weights(texts.to_pylist(), data.event_weights)
        weight = np.array([np.nan if value is None else value for value in by_text])[codes]
        expected = (
            f"must be an event type in data.event_weights ({', '.join(data.event_weights)}; add "
            "others there, or set data.interactions.columns.event: false to ignore the column)"
        )
        rules.append(Rule("unknown_event", "event", expected, np.isfinite(weight)))
    if rows.weight is not None:
        with np.errstate(over="ignore"):
            weight = weight * rows.weight
        ok = (rows.weight >= 0) & ~(weight > LARGEST_WEIGHT)
        expected = f"must be a number from 0 to {LARGEST_WEIGHT:g}{number_rule(data.decimal)}"
        rules.append(Rule("bad_weight", "weight", expected, ok))
    return weight, rules


def _splits(rows: EventRows) -> tuple[Int8Array, list[Rule]]:
    if "split" not in rows.texts:
        labels = np.array([part.label for part in rows.inputs], dtype=np.int8)
        return np.repeat(labels, rows.num_rows), []
    texts, codes = rows.texts["split"]
    names = [text.strip().lower() for text in texts.to_pylist()]
    by_text = np.array([GIVEN_NAMES.get(name, UNSPLIT) for name in names], dtype=np.int8)
    labels = by_text[codes]
    expected = f"must be one of {', '.join(GIVEN_NAMES)}"
    return labels, [Rule("unknown_split", "split", expected, labels != UNSPLIT)]
