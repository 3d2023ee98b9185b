"""metrics/data.json: the data in numbers, what was left out, and what the split hides."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd

from twotower.common.arrays import BoolArray, Int64Array
from twotower.common.sorted_keys import distinct
from twotower.config.data import DataConfig, TableConfig
from twotower.data.dense import Dense
from twotower.data.prepared import PARTS, RELEVANT, SPLITS, Catalogue, Entities
from twotower.ingest.event_log import EventLog
from twotower.ingest.events import SIDES, Events
from twotower.ingest.ids import Oddities
from twotower.ingest.overlap import Overlap, count_overlap
from twotower.ingest.side_tables import SideTable


def data_report(
    config: DataConfig,
    log: EventLog,
    tables: Mapping[str, SideTable | None],
    events: Events,
    catalogue: Catalogue,
    *,
    removed: Mapping[str, int],
) -> dict[str, Any]:
    """Everything in metrics/data.json; a share of no rows is None.

    Args:
        config: section `data`.
        log: the interactions as read.
        tables: the users and items tables as read.
        events: all rows, in order, with their splits.
        catalogue: the users and items that the search knows.
        removed: counts of what was left out on purpose, see `prepare`.
    """
    timed = log.times is not None
    users, items = (_ids_of_parts(events, side) for side in SIDES)
    pairs = count_overlap(events, events.columns["item"])
    moments = count_overlap(events, events.timestamps)
    num_rows = np.bincount(events.labels, minlength=len(PARTS))
    named = [part for n, part in enumerate(PARTS) if part in SPLITS or num_rows[n]]

    def counts(of_parts: Int64Array, total: int) -> dict[str, int]:
        return {part: int(of_parts[PARTS.index(part)]) for part in named} | {"total": total}

    hidden = {
        name: _hidden(events, name, pairs.seen[name], moments.seen[name] if timed else None)
        for name in SPLITS[1:]
    }
    tied = any(held_out["tied_rows"] for held_out in hidden.values())
    return {
        "source": _source(config, log, tables),
        "read": _read(log, tables),
        **removed,
        "rows": counts(num_rows, len(events)),
        "users": {**counts(users.sum(axis=1), users.shape[1]), "vocabulary": len(catalogue.users)},
        "items": {**counts(items.sum(axis=1), items.shape[1]), "vocabulary": len(catalogue.items)},
        **_relevant(events),
        **_clusters(tables["users"], events),
        "pairs": counts(pairs.of_parts, pairs.total),
        "moments": _moments(events, moments) if tied else None,
        "period": {name: _period(events, name) if timed else None for name in SPLITS},
        "cold": {name: _cold(events, name, users, items) for name in SPLITS[1:]},
        "hidden": hidden,
        "features": {
            "users": _features(config.users, catalogue.users, tables["users"]),
            "items": _features(
                config.items, catalogue.items, tables["items"], _missing_title(config, tables)
            ),
        },
    }


def _ids_of_parts(events: Events, side: str) -> BoolArray:
    """[num_parts, num_ids] whether each of PARTS has a row of each id."""
    found = np.zeros((len(PARTS), len(events.ids[side])), dtype=bool)
    for number, part in enumerate(PARTS):
        found[number, events.columns[side][events.rows_of(part)]] = True
    return found


def _relevant(events: Events) -> dict[str, Any]:
    """Rows that count (`evaluate.relevant`), of the held-out splits; nothing if all do."""
    if RELEVANT not in events.columns:
        return {}
    relevant = events.columns[RELEVANT]
    return {"relevant": {name: int(relevant[events.rows_of(name)].sum()) for name in SPLITS[1:]}}


def _clusters(users: SideTable | None, events: Events) -> dict[str, Any]:
    """Groups of users with rows (`evaluate.cluster`); nothing if all users count one by one."""
    if users is None or users.clusters is None:
        return {}
    names = pd.Series(users.clusters.to_pandas().to_numpy(), index=users.column.to_pandas())
    named = names.reindex(events.ids["user"].to_pandas())
    sizes, unnamed = named.value_counts(), int(named.isna().sum())
    largest = int(sizes.max()) if len(sizes) else 1
    return {
        "clusters": {"total": len(sizes) + unnamed, "largest": largest, "users_without": unnamed}
    }


def _moments(events: Events, moments: Overlap) -> dict[str, int]:
    """Number of different times, of all users and the most of one."""
    return {
        "total": len(distinct(events.timestamps)),
        "most_of_a_user": moments.most_of_a_user,
    }


def _source(
    config: DataConfig, log: EventLog, tables: Mapping[str, SideTable | None]
) -> dict[str, Any]:
    files: dict[str, Any] = {"interactions": " ".join(log.files)}
    for name, table in tables.items():
        is_off = getattr(config, name).file == ""
        files[name] = False if is_off else table and table.file
    return {
        "files": files,
        "order": "file" if log.times is None else "timestamp",
        "times": log.times,
        "times_near_1970": log.near_1970,
        "times_after_2031": log.after_2031,
        "times_before_1980": log.num_early,
        "ids": dict(log.ids),
        "why_text": dict(log.why_text),
        **{
            field.name: {side: getattr(odd, field.name) for side, odd in log.oddities.items()}
            for field in fields(Oddities)
        },
        "columns": dict(log.columns),
        "unused_columns": list(log.unused),
        "grouped_numbers": _grouped(log, tables),
    }


def _grouped(log: EventLog, tables: Mapping[str, SideTable | None]) -> list[str]:
    """Columns and features of numbers whose points may be between thousands."""
    features = (table.features.items() for table in tables.values() if table)
    return [*log.grouped, *(name for rows in features for name, raw in rows if raw.grouped)]


def _read(log: EventLog, tables: Mapping[str, SideTable | None]) -> dict[str, Any]:
    """Number of rows in the raw files, and of those dropped, by rule."""
    sources: dict[str, EventLog | SideTable] = {"interactions": log}
    sources |= {name: table for name, table in tables.items() if table is not None}
    report: dict[str, Any] = {}
    for name, source in sources.items():
        total = {"total": sum(source.dropped.values())}
        report[name] = {"rows": source.num_read, "dropped": total | dict(source.dropped)}
        if isinstance(source, SideTable):
            report[name]["blanked_cells"] = sum(source.blanked.values())
            invalid = [key for key, raw in source.features.items() if raw.is_mostly_invalid]
            report[name] |= {"mostly_invalid": invalid} if invalid else {}
    return report


def _features(
    config: TableConfig,
    entities: Entities,
    table: SideTable | None,
    missing: set[str] | None = None,
) -> dict[str, Any]:
    """Declared features that the data has, and optional ones and other columns that it lacks."""
    used = sorted(entities.features.columns)
    left_out = (set(config.features) - set(used)) | (missing or set())
    report: dict[str, Any] = {"used": used, "left_out": sorted(left_out)}
    vectors = {
        name: {
            "width": column.width,
            "missing": column.num_missing,
            "unused": table.features[name].num_unused if table else 0,
        }
        for name, column in entities.features.columns.items()
        if isinstance(column, Dense)
    }
    return report | ({"vectors": vectors} if vectors else {})


def _missing_title(config: DataConfig, tables: Mapping[str, SideTable | None]) -> set[str]:
    """The declared column of titles, if the items table lacks it."""
    items, title = tables["items"], config.items.title
    return {title} if title and (items is None or items.titles is None) else set()


def _period(events: Events, name: str) -> dict[str, str] | None:
    """The first and the last time of a split, in UTC."""
    times = events.timestamps[events.rows_of(name)]
    if not len(times):
        return None
    ends = np.array([times.min(), times.max()]).astype("datetime64[s]")
    first, last = (f"{end}Z" for end in ends)
    return {"first": first, "last": last}


def _cold(events: Events, name: str, users: BoolArray, items: BoolArray) -> dict[str, int]:
    """Users of a held-out split of whom nothing is known, items that train lacks, and their rows.

    Args:
        events: all rows.
        name: of the split.
        users: see `_ids_of_parts`.
        items: likewise.
    """
    train, held_out, history = (PARTS.index(part) for part in ("train", name, f"{name}_history"))
    new_users = users[held_out] & ~users[train] & ~users[history]
    new_items = items[held_out] & ~items[train]
    rows = events.rows_of(name)
    of_user, of_item = (events.columns[side][rows] for side in SIDES)
    return {
        "users": int(new_users.sum()),
        "items": int(new_items.sum()),
        "rows": int((new_users[of_user] | new_items[of_item]).sum()),
    }


def _hidden(
    events: Events, name: str, num_repeated: int, num_tied: int | None
) -> dict[str, float | None]:
    """How far a held-out split is from a future that the model has not seen.

    Args:
        events: all rows.
        name: of the split.
        num_repeated: rows of the split whose pair comes before it.
        num_tied: likewise, whose moment does; None: the data has no times.
    """
    times = events.timestamps[events.rows_of(name)]
    if not len(times):
        return {"repeated_pair_share": None, "tied_rows": num_tied, "train_rows_later_share": None}
    later = events.timestamps[events.rows_of("train")] > times.mean()
    return {
        "repeated_pair_share": num_repeated / len(times),
        "tied_rows": num_tied,
        "train_rows_later_share": float(later.mean()) if num_tied is not None else None,
    }
