"""metrics/data.json: the data in numbers, what was left out, and what the split hides."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd

from twotower.config.data import DataConfig, TableConfig
from twotower.data.dense import Dense
from twotower.data.interactions import pair_keys
from twotower.data.prepared import PARTS, RELEVANT, SPLITS, Catalogue, Entities
from twotower.ingest.event_log import EventLog
from twotower.ingest.ids import Oddities
from twotower.ingest.side_tables import SideTable

NAMED_IF_ANY = PARTS[len(SPLITS) :]
"""Parts of the data that only some strategies have."""


def data_report(
    config: DataConfig,
    log: EventLog,
    tables: Mapping[str, SideTable | None],
    splits: Mapping[str, pd.DataFrame],
    catalogue: Catalogue,
    *,
    removed: Mapping[str, int],
) -> dict[str, Any]:
    """Everything in metrics/data.json; a share of no rows is None.

    Args:
        config: section `data`.
        log: the interactions as read.
        tables: the users and items tables as read.
        splits: all of PARTS; those of users who are held out whole are named if they have rows.
        catalogue: the users and items that the search knows.
        removed: counts of what was left out on purpose, see `prepare`.
    """
    coded = _encode(splits)
    train, validation, test = (coded[name] for name in SPLITS)
    known = {name: pd.concat([train, coded[f"{name}_history"]]) for name in ("validation", "test")}
    before_test = pd.concat([known["validation"], validation, coded["test_history"]])
    coded = {name: rows for name, rows in coded.items() if name not in NAMED_IF_ANY or len(rows)}
    timed = log.times is not None
    num_users, num_items, num_pairs = (
        {name: rows[column].nunique() for name, rows in coded.items()}
        for column in ("user", "item", "pair")
    )
    hidden = {
        "validation": _hidden(train, known["validation"], validation, timed=timed),
        "test": _hidden(train, before_test, test, timed=timed),
    }
    tied = any(held_out["tied_rows"] for held_out in hidden.values())
    return {
        "source": _source(config, log, tables),
        "read": _read(log, tables),
        **removed,
        "rows": {name: len(rows) for name, rows in coded.items()},
        "users": {**num_users, "vocabulary": len(catalogue.users)},
        "items": {**num_items, "vocabulary": len(catalogue.items)},
        **_relevant(splits),
        **_clusters(tables["users"], splits),
        "pairs": num_pairs,
        "moments": _moments(coded["total"]) if tied else None,
        "period": {name: _period(coded[name]) if timed else None for name in SPLITS},
        "cold": {
            "validation": _cold(train, known["validation"], validation),
            "test": _cold(train, known["test"], test),
        },
        "hidden": hidden,
        "features": {
            "users": _features(config.users, catalogue.users, tables["users"]),
            "items": _features(
                config.items, catalogue.items, tables["items"], _missing_title(config, tables)
            ),
        },
    }


def _relevant(splits: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """Rows that count (`evaluate.relevant`), of the held-out splits; nothing if all do."""
    held_out = {name: splits[name] for name in SPLITS[1:]}
    if any(RELEVANT not in rows for rows in held_out.values()):
        return {}
    return {"relevant": {name: int(rows[RELEVANT].sum()) for name, rows in held_out.items()}}


def _clusters(users: SideTable | None, splits: Mapping[str, pd.DataFrame]) -> dict[str, Any]:
    """Groups of users with rows (`evaluate.cluster`); nothing if all users count one by one."""
    if users is None or users.clusters is None:
        return {}
    names = pd.Series(users.clusters.to_pandas().to_numpy(), index=users.column.to_pandas())
    named = names.reindex(pd.concat([splits[part]["user_id"] for part in PARTS]).unique())
    sizes, unnamed = named.value_counts(), int(named.isna().sum())
    largest = int(sizes.max()) if len(sizes) else 1
    return {
        "clusters": {"total": len(sizes) + unnamed, "largest": largest, "users_without": unnamed}
    }


def _moments(rows: pd.DataFrame) -> dict[str, int]:
    """Number of different times, of all users and the most of one."""
    of_users = np.bincount(rows["user"][~rows["moment"].duplicated()])
    return {"total": rows["timestamp"].nunique(), "most_of_a_user": int(of_users.max())}


def _encode(splits: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """Each split, and "total" for all, as numbers that are comparable between splits.

    Returns:
        Data frames with the int64 columns user, item, timestamp, pair (of user and item) and
        moment (of user and timestamp).
    """
    rows = pd.concat([splits[name] for name in PARTS], ignore_index=True)
    users, _ = pd.factorize(rows["user_id"])
    items, distinct_items = pd.factorize(rows["item_id"])
    seconds = rows["timestamp"].to_numpy() - rows["timestamp"].min()
    total = pd.DataFrame(
        {
            "user": users,
            "item": items,
            "timestamp": rows["timestamp"],
            "pair": pair_keys(users, items, len(distinct_items)),
            "moment": pair_keys(users, seconds, int(seconds.max()) + 1),
        }
    )
    stops = np.cumsum([len(splits[name]) for name in PARTS]).tolist()
    bounds = zip(PARTS, [0, *stops[:-1]], stops, strict=True)
    return {**{name: total[start:stop] for name, start, stop in bounds}, "total": total}


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


def _period(rows: pd.DataFrame) -> dict[str, str] | None:
    """The first and the last time of a split, in UTC."""
    if rows.empty:
        return None
    ends = rows["timestamp"].agg(["min", "max"]).to_numpy("datetime64[s]")
    first, last = (f"{end}Z" for end in ends)
    return {"first": first, "last": last}


def _cold(train: pd.DataFrame, known: pd.DataFrame, held_out: pd.DataFrame) -> dict[str, int]:
    """Users of a held-out split of whom nothing is known, items that train lacks, and their rows.

    Args:
        train: rows of the items that the model will have.
        known: these, and those by which users who are held out whole are known.
        held_out: rows of the split.
    """
    user = ~held_out["user"].isin(known["user"])
    item = ~held_out["item"].isin(train["item"])
    return {
        "users": held_out.loc[user, "user"].nunique(),
        "items": held_out.loc[item, "item"].nunique(),
        "rows": int((user | item).sum()),
    }


def _hidden(
    train: pd.DataFrame, seen: pd.DataFrame, held_out: pd.DataFrame, *, timed: bool
) -> dict[str, float | None]:
    """How far a held-out split is from a future that the model has not seen.

    Args:
        train: rows that are compared with the mean time of the held-out split.
        seen: rows whose pairs count as seen before, and whose moments as known.
        held_out: rows of the split.
        timed: whether the data has times.
    """
    tied = int(held_out["moment"].isin(seen["moment"]).sum()) if timed else None
    if held_out.empty:
        return {"repeated_pair_share": None, "tied_rows": tied, "train_rows_later_share": None}
    repeated = held_out["pair"].isin(seen["pair"])
    later = train["timestamp"] > held_out["timestamp"].to_numpy().mean()
    return {
        "repeated_pair_share": float(repeated.mean()),
        "tied_rows": tied,
        "train_rows_later_share": float(later.mean()) if timed else None,
    }
