"""metrics/data.json: what the data is, what was left out, and what the split hides."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from twotower.common.arrays import Int64Array
from twotower.data.interactions import pair_keys
from twotower.data.prepared import SPLITS, Catalogue
from twotower.ingest.event_log import EventLog
from twotower.ingest.tables import SideTable


@dataclass(frozen=True)
class _CodedRows:
    """Rows of one or more splits, as numbers that are comparable between splits.

    Attributes:
        users: [num_rows] int64 number of each row's user.
        items: likewise.
        pairs: [num_rows] int64 number of each row's (user, item) pair.
        timestamps: [num_rows] int64 seconds since 1970, UTC.
    """

    users: Int64Array
    items: Int64Array
    pairs: Int64Array
    timestamps: Int64Array

    def __len__(self) -> int:
        return len(self.users)


def data_report(
    log: EventLog,
    tables: Mapping[str, SideTable | None],
    splits: Mapping[str, pd.DataFrame],
    catalogue: Catalogue,
    removed: Mapping[str, int],
) -> dict[str, Any]:
    """Everything that metrics/data.json holds; a share over no rows is None.

    Args:
        log: the interactions as read.
        tables: the users and items tables as read.
        splits: train, validation and test.
        catalogue: what the search knows.
        removed: counts of what was left out on purpose, see `prepare`.
    """
    coded = _encode(splits)
    train, validation, test = (coded[name] for name in SPLITS)
    known = np.concatenate([train.pairs, validation.pairs])
    users = {name: _distinct(rows.users) for name, rows in coded.items()}
    items = {name: _distinct(rows.items) for name, rows in coded.items()}
    return {
        "source": _source(log, tables),
        "read": _read(log, tables),
        **removed,
        "rows": {name: len(rows) for name, rows in coded.items()},
        "users": {**users, "vocabulary": len(catalogue.users)},
        "items": {**items, "vocabulary": len(catalogue.items)},
        "pairs": {name: _distinct(rows.pairs) for name, rows in coded.items()},
        "period": {name: _period(coded[name]) if log.has_timestamps else None for name in SPLITS},
        "cold": {"validation": _cold(train, validation), "test": _cold(train, test)},
        "hidden": {
            "validation": _hidden(train, train.pairs, validation, timed=log.has_timestamps),
            "test": _hidden(train, known, test, timed=log.has_timestamps),
        },
    }


def summary(report: Mapping[str, Any]) -> str:
    """What a person wants to know of a report at once; the rest is in metrics/data.json."""
    rows, users, items = report["rows"], report["users"], report["items"]
    lines = [f"{rows['total']} events, {users['total']} users, {items['total']} items"]
    for name in SPLITS:
        cold = report["cold"].get(name)
        rest = f", {cold['rows']} of them with a user or item unknown to train" if cold else ""
        lines.append(f"  {name}: {rows[name]} rows, {users[name]} users{rest}")
    for name, read in report["read"].items():
        if read["dropped"]["total"]:
            lines.append(f"  dropped {read['dropped']['total']} of {read['rows']} rows of {name}")
        if read.get("blanked_cells"):
            lines.append(f"  {read['blanked_cells']} unreadable numbers of {name} count as missing")
    for name, features in report["features"].items():
        if features["left_out"]:
            lines.append(f"  {name} have no column for {', '.join(features['left_out'])}")
    if report["merged_rows"]:
        lines.append(f"  merged {report['merged_rows']} repeated rows")
    if report["sampled_out_users"]:
        lines.append(f"  sampled out {report['sampled_out_users']} users")
    if report["source"]["order"] == "file":
        lines.append("  no timestamps: file order counts as time order")
    return "\n".join(lines)


def _encode(splits: Mapping[str, pd.DataFrame]) -> dict[str, _CodedRows]:
    """Each split, and "total": all of them."""
    users = pd.factorize(pd.concat([splits[name]["user_id"] for name in SPLITS]))[0]
    items, distinct_items = pd.factorize(pd.concat([splits[name]["item_id"] for name in SPLITS]))
    pairs = pair_keys(users, items, len(distinct_items))
    timestamps = np.concatenate([splits[name]["timestamp"].to_numpy() for name in SPLITS])
    total = _CodedRows(users, items, pairs, timestamps)
    stops = np.cumsum([len(splits[name]) for name in SPLITS])
    starts = [0, *stops[:-1]]
    coded = {
        name: _CodedRows(users[low:high], items[low:high], pairs[low:high], timestamps[low:high])
        for name, low, high in zip(SPLITS, starts, stops, strict=True)
    }
    return {**coded, "total": total}


def _source(log: EventLog, tables: Mapping[str, SideTable | None]) -> dict[str, Any]:
    ids = {name: log.frame[f"{name}_id"].dtype for name in ("user", "item")}
    files = {name: table.path.name if table else None for name, table in tables.items()}
    return {
        "files": {"interactions": " ".join(log.files), **files},
        "order": "timestamp" if log.has_timestamps else "file",
        "ids": {
            name: "integer" if pd.api.types.is_integer_dtype(dtype) else "text"
            for name, dtype in ids.items()
        },
    }


def _read(log: EventLog, tables: Mapping[str, SideTable | None]) -> dict[str, Any]:
    """Rows of the raw files, and what of them was unusable, by rule."""
    sources: dict[str, EventLog | SideTable] = {"interactions": log}
    sources |= {name: table for name, table in tables.items() if table is not None}
    report: dict[str, Any] = {}
    for name, source in sources.items():
        total = {"total": sum(source.dropped.values())}
        report[name] = {"rows": source.num_read, "dropped": total | dict(source.dropped)}
        if isinstance(source, SideTable):
            report[name]["blanked_cells"] = sum(source.blanked.values())
    return report


def _distinct(codes: Int64Array) -> int:
    return len(pd.unique(codes))


def _period(rows: _CodedRows) -> dict[str, str] | None:
    """The first and the last time of a split, in UTC."""
    if not len(rows):
        return None
    ends = np.array([rows.timestamps.min(), rows.timestamps.max()]).astype("datetime64[s]")
    first, last = (f"{end}Z" for end in ends)
    return {"first": first, "last": last}


def _cold(train: _CodedRows, held_out: _CodedRows) -> dict[str, int]:
    """Users and items of a held-out split that train lacks, and the rows with either."""
    user = ~np.isin(held_out.users, train.users)
    item = ~np.isin(held_out.items, train.items)
    return {
        "users": _distinct(held_out.users[user]),
        "items": _distinct(held_out.items[item]),
        "rows": int((user | item).sum()),
    }


def _hidden(
    train: _CodedRows, known_pairs: Int64Array, held_out: _CodedRows, *, timed: bool
) -> dict[str, float | None]:
    """How far a held-out split is from a future that the model has not seen.

    Args:
        train: rows that are compared with the held-out split's mean time.
        known_pairs: pairs that count as seen before.
        held_out: rows of the split.
        timed: whether the data has times.
    """
    if not len(held_out):
        return {"repeated_pair_share": None, "train_rows_later_share": None}
    repeated = np.isin(held_out.pairs, known_pairs)
    later = train.timestamps > held_out.timestamps.mean()
    return {
        "repeated_pair_share": float(repeated.mean()),
        "train_rows_later_share": float(later.mean()) if timed else None,
    }
