"""The interactions: one typed row per event, in file order."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa

from twotower.common.errors import DataError
from twotower.config.data import DataConfig, SplitConfig
from twotower.ingest.convert import describe_ids, settle_ids
from twotower.ingest.event_rows import Tables, read_rows
from twotower.ingest.locate import interaction_files, interaction_roles
from twotower.ingest.open_file import open_source
from twotower.ingest.side_tables import SideTable
from twotower.ingest.sources.source import Source


@dataclass(frozen=True)
class EventLog:
    """All valid interactions.

    Attributes:
        frame: user_id, item_id (int64 or string), timestamp (float64 seconds UTC, 0 without),
            weight (float64, >= 0), split (int8 position in SPLITS, or UNSPLIT); file order.
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
        tables: an interaction with an id that a table lacks is invalid.

    Raises:
        DataError: if a file is missing or breaks a rule.
        ConfigError: if the strategy is `given` and the split is not, or twice.
    """
    files = interaction_files(root, data, split)
    sources = [open_source(path, data, data.interactions.format) for _, path in files]
    roles = [interaction_roles(source, data, split) for source in sources]
    _check_same_roles(sources, roles)
    read = [
        read_rows(source, names, label, data, tables)
        for source, names, (label, _) in zip(sources, roles, files, strict=True)
    ]
    parts, checks = [rows for rows, _ in read], [check for _, check in read]
    ids = {
        f"{role}_id": _settle(sources, parts, role, roles[0][role], tables[f"{role}s"])
        for role in ("user", "item")
    }
    rest = pa.concat_tables([rows.drop_columns(["user", "item"]) for rows in parts])
    return EventLog(
        frame=pd.DataFrame(ids | {name: rest[name].to_numpy() for name in rest.column_names}),
        files=tuple(path.name for _, path in files),
        has_timestamps="timestamp" in roles[0],
        num_read=sum(check.num_read for check in checks),
        dropped=sum((check.dropped for check in checks), Counter[str]()),
    )


def _check_same_roles(sources: Sequence[Source], roles: Sequence[Mapping[str, str]]) -> None:
    """Refuse files of a given split of which one has a role that another lacks."""
    for source, names in zip(sources[1:], roles[1:], strict=True):
        for role in sorted(set(roles[0]) ^ set(names)):
            has, lacks = (sources[0], source) if role in roles[0] else (source, sources[0])
            column = roles[0].get(role) or names[role]
            msg = (
                f"{lacks.name}: no {role} column, but {has.name} has {column!r}; "
                f"set data.interactions.columns.{role}"
            )
            raise DataError(msg)


def _settle(
    sources: Sequence[Source],
    parts: Sequence[pa.Table],
    role: str,
    column: str,
    table: SideTable | None,
) -> pd.Series:
    """The ids of all files, as integers if all of them are, as text otherwise."""
    where = f"{sources[0].name}: column {column!r}"
    columns = [rows[role] for rows in parts]
    typed = {source.typed for source in sources}
    if len(typed) > 1 or len({ids.type for ids in columns}) > 1:
        msg = f"{where}: ids must have the same type in all files of the split"
        raise DataError(msg)
    chunks = [chunk for ids in columns for chunk in ids.chunks]
    ids = settle_ids(pa.chunked_array(chunks, columns[0].type), typed=sources[0].typed)
    if table is not None and len(ids) and ids.type != table.ids.type:
        msg = (
            f"{where}: ids are {describe_ids(ids)}, but those in {table.file} are "
            f"{describe_ids(table.ids)}; make both integers or both text"
        )
        raise DataError(msg)
    series: pd.Series = ids.to_pandas()
    return series
