"""The interactions: one typed row per event, in file order."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from twotower.common.arrays import BoolArray
from twotower.common.errors import DataError
from twotower.config.data import DataConfig
from twotower.config.splitting import SplitConfig
from twotower.config.training import RelevantConfig
from twotower.ingest.event_rows import EventRows, Input, Tables, read_rows
from twotower.ingest.event_rules import check_rows, convert
from twotower.ingest.events import SIDES, Events, coded
from twotower.ingest.ids import Oddities, oddities
from twotower.ingest.locate import interaction_files, interaction_roles
from twotower.ingest.open_file import open_source
from twotower.ingest.problems import Problems
from twotower.ingest.recognised_names import event_type
from twotower.ingest.relevance import relevance


@dataclass(frozen=True)
class EventLog:
    """How the interactions were read.

    Attributes:
        files: names of the raw files, in the order of their rows.
        times: how most times are written; None without a time column.
        near_1970: see EventTimes; so, too, the next two.
        columns: name in the (first) file of each role: user, item, timestamp, …
        unused: columns without a role.
        grouped: columns of numbers whose points may be between thousands.
        num_read: rows in the files.
        dropped: rows dropped per rule.
        events: valid rows of each event type; empty without such a column.
        ids: integer or text, for "user" and "item".
        why_text: likewise, what makes the ids text where others are integers.
        oddities: likewise, what looks odd among ids that are text.
    """

    files: tuple[str, ...]
    times: str | None
    near_1970: bool
    after_2031: bool
    num_early: int
    columns: Mapping[str, str]
    unused: Sequence[str]
    grouped: Sequence[str]
    num_read: int
    dropped: Mapping[str, int]
    events: Mapping[str, int]
    ids: Mapping[str, str]
    why_text: Mapping[str, str | None]
    oddities: Mapping[str, Oddities]


def load_interactions(
    root: Path,
    data: DataConfig,
    split: SplitConfig,
    tables: Tables,
    problems: Problems,
    *,
    relevant: RelevantConfig | None = None,
) -> tuple[Events, EventLog]:
    """Read and check the interactions file, or the files of a given split.

    Args:
        root: folder of the raw files.
        data: section `data`.
        split: section `split`.
        tables: an interaction with an id that a table lacks is invalid.
        problems: of the tables.
        relevant: which rows count when a ranking is scored; None: all.

    Returns:
        All valid rows in file order, and how they were read.

    Raises:
        DataError: of all problems: those so far, files that are missing and rules that they break;
            or, if there are none, that `relevant` asks for what the files do not have.
        ConfigError: if all is well, but the strategy is `given` and the split is not, or twice.
    """
    inputs = _open_inputs(root, data, split, problems)
    if not inputs:
        problems.raise_any()
    rows = read_rows(inputs, data, tables, problems)
    columns, rules = convert(rows, data, tables)
    checks = check_rows(rows, rules, data, problems)
    problems.raise_any()
    valid = np.concatenate([check.valid for check in checks])
    is_relevant = relevance(rows, data, relevant or RelevantConfig())
    if is_relevant is not None:
        columns["relevant"] = is_relevant
    why_text = {side: _why_text(rows, side, data, tables) for side in SIDES}
    events = _valid_events(rows, columns, valid)
    times = rows.times
    return events, EventLog(
        files=tuple(part.file for part in inputs),
        times=times.form if times else None,
        near_1970=bool(times and times.near_1970),
        after_2031=bool(times and times.after_2031),
        num_early=times.num_early if times else 0,
        columns=inputs[0].roles,
        unused=_unused(inputs),
        grouped=[inputs[0].roles["weight"]] if rows.grouped else [],
        num_read=sum(check.num_read for check in checks),
        dropped=sum((check.dropped for check in checks), Counter[str]()),
        events=_event_rows(rows, valid, data),
        ids={side: _id_kind(events.ids[side]) for side in SIDES},
        oddities={side: oddities(events.ids[side], events.columns[side]) for side in SIDES},
        why_text=why_text,
    )


def _valid_events(rows: EventRows, columns: Mapping[str, NDArray[Any]], valid: BoolArray) -> Events:
    everything = bool(valid.all())
    kept = {name: column if everything else column[valid] for name, column in columns.items()}
    ids = {}
    for side in SIDES:
        raw = rows.ids[side].raw.codes
        ids[side], kept[side] = coded(rows.ids[side].values, raw if everything else raw[valid])
    return Events(ids, kept)


def _id_kind(ids: pa.Array) -> str:
    """What ids of this type are called."""
    return "integer" if pa.types.is_integer(ids.type) else "text"


def _event_rows(rows: EventRows, valid: BoolArray, data: DataConfig) -> dict[str, int]:
    """Valid rows of each event type, which several spellings may name."""
    if "event" not in rows.texts:
        return {}
    texts, codes = rows.texts["event"]
    of_text = np.bincount(codes[valid], minlength=len(texts)).tolist()
    counts: Counter[str] = Counter()
    for text, count in zip(texts.to_pylist(), of_text, strict=True):
        if count:
            counts[event_type(text, data.event_weights) or text] += count
    return dict(counts)


def _open_inputs(
    root: Path, data: DataConfig, split: SplitConfig, problems: Problems
) -> list[Input]:
    """The files that have users and items, with the roles that all of them have."""
    before = len(problems)
    files: list[tuple[int, Path]] = []
    with problems.collected():
        files = interaction_files(root, data, split, problems)
    inputs = []
    for label, path in files:
        with problems.collected():
            source = open_source(path, data, data.interactions.format)
            roles = interaction_roles(source, data, split, problems)
            if roles is not None:
                inputs.append(Input(source, path.relative_to(root).as_posix(), roles, label))
    if len(problems) == before:  # else a role may be lacking for a reason that is known
        with problems.collected():
            _check_same_roles(inputs)
    if len(problems) == before:
        return inputs
    shared = set[str].intersection(*(set(part.roles) for part in inputs)) if inputs else set()
    return [
        replace(part, roles={role: part.roles[role] for role in part.roles if role in shared})
        for part in inputs
    ]


def _unused(inputs: Sequence[Input]) -> Sequence[str]:
    columns = (
        column
        for part in inputs
        for column in part.source.header
        if column not in part.roles.values()
    )
    return list(dict.fromkeys(columns))


def _why_text(rows: EventRows, side: str, data: DataConfig, tables: Tables) -> str | None:
    """What makes ids text where others are integers: "'guest' (log.csv, line 7)"; else None."""
    table, raw = tables[f"{side}s"], rows.ids[side].raw
    if table is not None:
        return table.why_text
    odd = raw.first_odd_text() if getattr(data, f"{side}s").id_type == "auto" else None
    if odd is None:
        return None
    text, row = odd
    ends = np.cumsum(rows.num_rows)
    number = int(np.searchsorted(ends, row, side="right"))
    part = rows.inputs[number]
    place = part.source.place(row - int(ends[number]) + rows.num_rows[number])
    return f"{text!r} ({part.file}, {place})"


def _check_same_roles(inputs: Sequence[Input]) -> None:
    """Refuse files of a given split of which one has a role that another lacks."""
    first, *others = inputs
    for other in others:
        for role in sorted(set(first.roles) ^ set(other.roles)):
            has, lacks = (first, other) if role in first.roles else (other, first)
            msg = (
                f"{lacks.source.name}: no {role} column, but {has.source.name} has "
                f"{has.roles[role]!r}; set data.interactions.columns.{role}"
            )
            raise DataError(msg)
