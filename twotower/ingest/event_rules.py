"""What the rows of interactions mean, and the rules that they must follow."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from twotower.common.arrays import BoolArray, Float64Array, Int8Array
from twotower.config.data import LARGEST_WEIGHT, DataConfig
from twotower.data.id_text import IdText
from twotower.data.splits import GIVEN_NAMES, UNSPLIT
from twotower.ingest.convert import number_rule
from twotower.ingest.event_rows import EventRows, Tables
from twotower.ingest.events import SIDES
from twotower.ingest.ids import Ids, describe_ids, is_header
from twotower.ingest.problems import Problems
from twotower.ingest.recognised_names import event_weights
from twotower.ingest.row_check import RowCheck
from twotower.ingest.side_tables import SideTable
from twotower.ingest.times import RULE
from twotower.ingest.usual_names import COLUMNS


@dataclass(frozen=True)
class Rule:
    """What every row must follow.

    Attributes:
        name: under which dropped rows are counted.
        role: of the column.
        expected: the rule as a phrase that continues "column x": "must not be blank".
        ok: [num_rows] whether a row follows it.
        empty: [num_rows] whether a row that does not holds no event; None: no row.
    """

    name: str
    role: str
    expected: str
    ok: BoolArray
    empty: BoolArray | None = None


def check_rows(
    rows: EventRows, rules: Sequence[Rule], data: DataConfig, problems: Problems
) -> list[RowCheck]:
    """Apply the rules to each source that could be read to its end, in their order.

    Args:
        rows: as read.
        rules: which they must follow.
        data: gives the policy.
        problems: collects sources that are empty, and rules that are broken.
    """
    checks = []
    stop = 0
    for part, length in zip(rows.inputs, rows.num_rows, strict=True):
        start, stop = stop, stop + length
        if part in rows.damaged:
            continue
        with problems.collected():
            check = RowCheck(part.source, length, data, problems)
            for rule in rules:
                check.require(
                    rule.ok[start:stop],
                    rule=rule.name,
                    column=part.roles[rule.role],
                    expected=rule.expected,
                    empty=None if rule.empty is None else rule.empty[start:stop],
                )
            check.report()
            checks.append(check)
    return checks


def convert(rows: EventRows, data: DataConfig, tables: Tables) -> tuple[dict[str, Any], list[Rule]]:
    """What the rows mean, and the rules that they must follow.

    Args:
        rows: as read.
        data: section `data`.
        tables: a row with an id that a table lacks is invalid.

    Returns:
        Columns of all rows, valid or not, but for their ids: timestamp (float64 seconds since 1970,
        UTC; 0 without a time column), weight (float64, >= 0; 1 without event and weight columns),
        split (int8 position in SPLITS, or UNSPLIT). And the rules.
    """
    rules = [_no_header(rows), *_blank_rules(rows)]
    columns: dict[str, Any] = {}
    for side in SIDES:
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
    """Files that were put together with their headers have one among their rows.

    If users and items called as their columns are not of one row, the first row was no header; a
    row of usual names is one.
    """
    user, item = (_names(rows, side) for side in SIDES)
    repeated = user & item
    if not rows.inputs[0].source.has_header:
        expected = "must not be a header (data.header)"
        return Rule("header", "user", expected, ~repeated, empty=repeated)
    if user.any() and item.any() and not repeated.any():
        repeated = user | item
    expected = "must not be the header again (if the first row is data, set data.header: false)"
    return Rule("repeated_header", "user", expected, ~repeated, empty=repeated)


def _blank_rules(rows: EventRows) -> list[Rule]:
    """A row without user and item is blank, whatever else is lacking."""
    blank = {side: rows.ids[side].blank for side in SIDES}
    expected = "must not be blank"
    return [
        Rule("blank_user", "user", expected, ~blank["user"], empty=blank["item"]),
        Rule("blank_item", "item", expected, ~blank["item"]),
    ]


def _names(rows: EventRows, side: str) -> BoolArray:
    """[num_rows] whether an id is a name of such columns, or a usual one where there is none."""
    ids = rows.ids[side].raw
    names = ids.headers or ([] if ids.typed else COLUMNS[side])
    is_name = is_header(IdText().column(ids.values.cast(pa.string())), names)
    return rows.ids[side].each(is_name.to_numpy(zero_copy_only=False), null=False)


def _id_rules(ids: Ids, side: str, id_type: str, table: SideTable | None) -> list[Rule]:
    rules = []
    if table is None or id_type == "integer":
        expected = f"must be an integer (data.{side}s.id_type: {id_type})"
        rules.append(Rule(f"bad_{side}", side, expected, ids.present | ids.blank))
    if table is not None:
        column = table.column.drop_null()
        known = pc.is_in(ids.values, value_set=column)
        known = np.asarray(known.to_numpy(zero_copy_only=False), dtype=bool)
        expected = f"must be an id in {table.file} ({describe_ids(column)})"
        if pa.types.is_string(ids.values.type):
            unknown = ids.values.filter(pa.array(~known)).drop_null()
            if not pc.all(pc.string_is_ascii(unknown)).as_py():
                expected += "; of letters with accents, data.unicode: nfc settles the form"
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
        number = f"must be a number from 0 to {LARGEST_WEIGHT:g}"
        for expected, ok in (
            (f"{number}, not blank", ~rows.blank_weight),
            (f"{number}{number_rule(data.decimal)}", ~np.isnan(rows.weight)),
            (number, (rows.weight >= 0) & ~(weight > LARGEST_WEIGHT)),
        ):
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
    expected = f"must be one of {', '.join(GIVEN_NAMES)} (split.column)"
    return labels, [Rule("unknown_split", "split", expected, labels != UNSPLIT)]
