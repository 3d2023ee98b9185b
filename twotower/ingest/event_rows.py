"""The interactions of one or several sources, read in batches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from twotower.common.arrays import BoolArray, Float64Array, Int32Array
from twotower.common.errors import DataError
from twotower.common.progress import track
from twotower.config.data import DataConfig
from twotower.data.id_text import IdText
from twotower.ingest.codes import Codes
from twotower.ingest.convert import (
    GROUPED,
    as_ids,
    as_numbers,
    as_text,
    blank,
    meanings_of_points,
)
from twotower.ingest.events import SIDES
from twotower.ingest.ids import Ids, RawIds, choose_integers
from twotower.ingest.problems import Problems
from twotower.ingest.side_tables import SideTable
from twotower.ingest.sources.source import Source
from twotower.ingest.times import EventTimes, Times

Tables = Mapping[str, SideTable | None]
"""The "users" and "items" tables; None: there is none."""


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
        blank_weight: [num_rows] whether there is nothing in the column of weights; empty without.
        grouped: whether points in weights may be between thousands.
        texts: (distinct texts, [num_rows] position of each row's) of "event" and "split", where
            there is such a column.
        damaged: inputs of which only the first rows could be read.
    """

    inputs: Sequence[Input]
    num_rows: Sequence[int]
    ids: Mapping[str, Ids]
    times: EventTimes | None
    weight: Float64Array | None
    blank_weight: BoolArray
    grouped: bool
    texts: Mapping[str, tuple[pa.Array, Int32Array]]
    damaged: Sequence[Input] = ()


def read_rows(
    inputs: Sequence[Input], data: DataConfig, tables: Tables, problems: Problems
) -> EventRows:
    """Read all sources; what ids and times are is decided over all of them.

    Args:
        inputs: with the same roles.
        data: section `data`.
        tables: ids have the types of the tables'.
        problems: collects sources that are damaged, and columns of a type that does not fit; but
            for those of ids, they are as if they were not there.

    Raises:
        DataError: all problems so far, if there are no ids or all sources are damaged.
    """
    columns = _Columns(data, problems)
    num_rows = [columns.read(part) for part in inputs]
    pa.default_memory_pool().release_unused()  # that of text, which is large
    if len(columns.damaged) == len(inputs):
        problems.raise_any()
    first = inputs[0]
    has = first.roles.keys() - columns.unfit
    times = None
    if "timestamp" in has:
        with problems.collected():
            times = columns.times.finish(first.where("timestamp"))
    ids = {}
    for side in SIDES:
        with problems.collected():
            if side in has:
                ids[side] = _settle(columns.codes[side], inputs, side, data, tables)
    if ids.keys() != set(SIDES):
        problems.raise_any()
    return EventRows(
        inputs,
        num_rows,
        ids,
        times=times,
        weight=np.concatenate(columns.weights) if "weight" in has else None,
        blank_weight=np.concatenate(columns.blank_weights),
        grouped=columns.points == {GROUPED},
        texts={role: columns.codes[role].finish() for role in ("event", "split") if role in has},
        damaged=columns.damaged,
    )


class _Columns:
    """What is kept of each column, some rows at a time.

    Attributes:
        unfit: roles of which a column has a type that does not fit.
        damaged: inputs that could not be read to their end.
    """

    def __init__(self, data: DataConfig, problems: Problems) -> None:
        self.codes = {role: Codes() for role in (*SIDES, "event", "split")}
        self.times = Times(data.interactions, data.decimal)
        self.weights: list[Float64Array] = [np.empty(0)]
        self.blank_weights: list[BoolArray] = [np.empty(0, dtype=bool)]
        self.points: set[str] = set()
        self.unfit: set[str] = set()
        self.damaged: list[Input] = []
        self._decimal = data.decimal
        self._problems = problems

    def read(self, part: Input) -> int:
        """Read a whole source; the number of its rows."""
        num_rows = 0
        batches = part.source.batches(list(dict.fromkeys(part.roles.values())))
        try:
            for batch in track(batches, f"{part.file}: rows read", size=len, rate=True):
                num_rows += len(batch)
                self._add_batch(batch, part)
        except DataError as error:
            self._problems.add(error)
            self.damaged.append(part)
        return num_rows

    def _add_batch(self, batch: pa.RecordBatch, part: Input) -> None:
        for role, name in part.roles.items():
            try:
                if role not in self.unfit:
                    self._add(role, batch[name], part.where(role))
            except DataError as error:
                self._problems.add(error)
                self.unfit.add(role)

    def _add(self, role: str, column: pa.Array, where: str) -> None:
        match role:
            case "user" | "item":
                key = f"data.{role}s.id_type"
                if pa.types.is_string(column.type):  # of few values, each is looked at once
                    encoded = column.dictionary_encode()
                    values = as_ids(encoded.dictionary, where, key)
                    column = pa.DictionaryArray.from_arrays(encoded.indices, values)
                else:
                    column = as_ids(column, where, key)
                self.codes[role].add(column)
            case "timestamp":
                self.times.add(column, where)
            case "weight":
                self.weights.append(as_numbers(column, where, self._decimal))
                self.blank_weights.append(blank(column))
                self.points |= meanings_of_points(column, self._decimal)
            case _:
                self.codes[role].add(pc.fill_null(as_text(column, where), ""))


def _settle(
    codes: Codes, inputs: Sequence[Input], side: str, data: DataConfig, tables: Tables
) -> Ids:
    where, key = inputs[0].where(side), f"data.{side}s.id_type"
    is_mixed = codes.mixed
    values, positions = codes.finish()
    typed = {part.source.typed for part in inputs}
    headers = [part.roles[role] for part in inputs if part.source.has_header for role in SIDES]
    raw = RawIds(values, positions, all(typed), where, headers)
    id_type = getattr(data, f"{side}s").id_type
    if id_type == "auto" and (len(typed) > 1 or is_mixed):
        msg = f"{where}: ids have different types in the files; set {key} to integer or text"
        raise DataError(msg)
    table = tables[f"{side}s"]
    integers = choose_integers(raw, id_type, key, table.ids if table else None)
    return raw.settle(integers=integers, text=IdText.of(data.unicode))
