"""The interactions: one typed row an event, in file order."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from twotower.common.errors import DataError
from twotower.config.data import DataConfig, SplitConfig
from twotower.ingest.convert import describe_ids, settle_ids
from twotower.ingest.event_rows import EventRows, Tables, load_rows
from twotower.ingest.locate import interaction_files, interaction_roles
from twotower.ingest.open_source import open_source
from twotower.ingest.tables import SideTable


@dataclass(frozen=True)
class EventLog:
    """All usable interactions.

    Attributes:
        frame: user_id, item_id (int64 or string), timestamp (float64 seconds UTC, 0 without),
            weight (float64, >= 0), split (int8 position in SPLITS, -1: not given); file order.
        files: names of the raw files, in the order of their rows.
        has_timestamps: whether there is a time column.
        num_read: rows in the files.
        dropped: rows dropped per rule.
    """

    frame: pd.DataFrame
    files: tuple[str, ...]
    has_timestamps: bool
    num_read: int
    dropped: Mapping[str, int]


def load_interactions(root: Path, data: DataConfig, split: SplitConfig, tables: Tables) -> EventLog:
    """Read and check the interactions file, or the files of a given split.

    Args:
        root: folder of the raw files.
        data: section `data`.
        split: section `split`.
        tables: "users" and "items"; an interaction with an id that a table lacks is invalid.

    Raises:
        DataError: if a file is missing or breaks a rule.
        ConfigError: if the strategy is `given` and the split is not, or twice.
    """
    parts = []
    for label, path in interaction_files(root, data, split):
        source = open_source(path, data, data.interactions.format)
        parts.append(load_rows(source, interaction_roles(source, data, split), label, data, tables))
    _check_alike(parts)
    dropped = sum((Counter(part.dropped) for part in parts), Counter[str]())
    return EventLog(
        frame=_frame(parts, tables),
        files=tuple(part.source.path.name for part in parts),
        has_timestamps="timestamp" in parts[0].roles,
        num_read=sum(part.num_read for part in parts),
        dropped=dropped,
    )


def _check_alike(parts: Sequence[EventRows]) -> None:
    """Refuse files of a given split of which one has a role that another lacks."""
    first = parts[0]
    for other in parts[1:]:
        for role in sorted(set(first.roles) ^ set(other.roles)):
            has, lacks = (first, other) if role in first.roles else (other, first)
            msg = (
                f"{lacks.source.path}: no column is the {role}, but {has.source.path.name} has "
                f"{has.roles[role]!r}; set data.interactions.columns.{role}"
            )
            raise DataError(msg)


def _frame(parts: Sequence[EventRows], tables: Tables) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "user_id": _settle(parts, "user", tables["users"]),
            "item_id": _settle(parts, "item", tables["items"]),
            "timestamp": np.concatenate([part.timestamp for part in parts]),
            "weight": np.concatenate([part.weight for part in parts]),
            "split": np.concatenate([part.split for part in parts]),
        }
    )


def _settle(parts: Sequence[EventRows], role: str, table: SideTable | None) -> pd.Series:
    """The ids of all files, as integers if all of them are, as text otherwise."""
    columns = [getattr(part, role) for part in parts]
    where = f"{parts[0].source.path}: column {parts[0].roles[role]!r}"
    if len({(part.source.typed, getattr(part, role).type) for part in parts}) > 1:
        msg = f"{where}: the ids are of another type in the other files of the split"
        raise DataError(msg)
    chunks = [chunk for column in columns for chunk in column.chunks]
    ids = settle_ids(pa.chunked_array(chunks, columns[0].type), typed=parts[0].source.typed)
    if table is not None and len(ids) and ids.type != table.ids.type:
        msg = (
            f"{where}: the ids are {describe_ids(ids)}, but those of {table.path.name} are "
            f"{describe_ids(table.ids)}; make both columns integers, or both text"
        )
        raise DataError(msg)
    series: pd.Series = ids.to_pandas()
    return series
