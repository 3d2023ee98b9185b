"""Guard rails: new data that is too unlike that of the last run stops the pipeline.

A stage cannot depend on its own output, so what there is to know of the last run's data is kept in
`data/last_run.json`, under version control. Empty or absent: there is nothing to compare with.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
from pydantic import PositiveInt, TypeAdapter, ValidationError

from twotower.common.errors import DataError
from twotower.common.files import write_json
from twotower.common.units import DAY
from twotower.config.data import GuardConfig

LAST_RUN = Path("data/last_run.json")
SKETCH = 1000
"""Ids of each kind that are compared: those with the smallest hashes, so always the same ones."""
RESET = "python -m twotower.retraining reset"


@dataclass(frozen=True)
class DataProfile:
    """What there is to know of the interactions of a run, all splits together.

    Attributes:
        rows: number of them, at least 1.
        users: number of distinct users.
        items: likewise.
        first: time of the first event, seconds since 1970, UTC; None for data without times.
        last: likewise, of the last event.
        user_hashes: the SKETCH smallest hashes of user ids, ascending.
        item_hashes: likewise.
    """

    rows: PositiveInt
    users: int
    items: int
    first: int | None
    last: int | None
    user_hashes: list[str]
    item_hashes: list[str]


def profile(splits: Mapping[str, pd.DataFrame]) -> DataProfile:
    """Profile of the splits of a run, each with user_id, item_id and timestamp."""
    rows = pd.concat(list(splits.values()), ignore_index=True)
    users, items = rows["user_id"].unique(), rows["item_id"].unique()
    timed = bool((rows["timestamp"] != 0).any())
    return DataProfile(
        rows=len(rows),
        users=len(users),
        items=len(items),
        first=int(rows["timestamp"].min()) if timed else None,
        last=int(rows["timestamp"].max()) if timed else None,
        user_hashes=_sketch(pd.Index(users)),
        item_hashes=_sketch(pd.Index(items)),
    )


def _sketch(ids: pd.Index) -> list[str]:
    hashes = (hashlib.blake2b(str(key).encode(), digest_size=8).hexdigest() for key in ids.tolist())
    return sorted(hashes)[:SKETCH]


def write_last_run(path: Path, data: DataProfile | None) -> None:
    """Keep the profile for the next run; None: the next run is compared with nothing."""
    write_json(path, {} if data is None else asdict(data))


def read_last_run(path: Path) -> DataProfile | None:
    """What `write_last_run` wrote; None if that is nothing, or there is no file.

    Raises:
        DataError: if the file is of another form.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return TypeAdapter(DataProfile).validate_python(content) if content else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError, ValidationError):
        msg = f"{path}: not a profile of the last run's data; {RESET} empties it"
        raise DataError(msg) from None


def check_data(splits: Mapping[str, pd.DataFrame], last_run: Path, config: GuardConfig) -> None:
    """Compare new data with that of the last run.

    Args:
        splits: of the new data.
        last_run: file of the last run's profile.
        config: how much may change.

    Raises:
        DataError: naming every rule that is broken, the values, and what to do.
    """
    last = read_last_run(last_run)
    if last is None:
        return
    broken = list(_broken(last, profile(splits), config))
    if broken:
        remedy = f"if the data is right, change the rule, or forget the last run: {RESET}"
        msg = f"the data is too unlike that of the last run: {'; '.join(broken)}; {remedy}"
        raise DataError(msg)


def _broken(last: DataProfile, new: DataProfile, config: GuardConfig) -> Iterator[str]:
    ratio = new.rows / last.rows
    rows = f"{new.rows:,} rows after {last.rows:,}, {ratio:.2f} times as many"
    if config.min_rows is not None and ratio < config.min_rows:
        yield f"{rows} (guard.min_rows {config.min_rows:g})"
    if config.max_rows is not None and ratio > config.max_rows:
        yield f"{rows} (guard.max_rows {config.max_rows:g})"
    for kind, before, now, limit in (
        ("users", last.user_hashes, new.user_hashes, config.max_new_users),
        ("items", last.item_hashes, new.item_hashes, config.max_new_items),
    ):
        share = share_of_new(before, now)
        if limit is not None and share > limit:
            yield f"{share:.0%} of the {kind} are new (guard.max_new_{kind} {limit:g})"
    yield from _broken_dates(last, new, config)


def _broken_dates(last: DataProfile, new: DataProfile, config: GuardConfig) -> Iterator[str]:
    if last.first is None or last.last is None:
        return
    if new.first is None or new.last is None:
        yield "the events have no times any more"
        return
    for what, before, now, days, rule in (
        ("first", last.first, new.first, (new.first - last.first) / DAY, "max_days_lost"),
        ("last", last.last, new.last, (last.last - new.last) / DAY, "max_days_back"),
        ("last", last.last, new.last, (new.last - last.last) / DAY, "max_days_new"),
    ):
        limit: float | None = getattr(config, rule)
        if limit is not None and days > limit:
            yield (
                f"the {what} event is of {_date(now)}, was of {_date(before)} "
                f"(guard.{rule} {limit:g})"
            )


def share_of_new(before: list[str], now: list[str]) -> float:
    """Share of the ids that are new, estimated from two sketches; exact up to SKETCH ids.

    Hashes are random numbers, so the ids with hashes below any bound are a random sample.
    """
    bound = before[-1] if len(before) == SKETCH else None
    sample = [key for key in now if bound is None or key <= bound]
    known = set(before)
    return sum(key not in known for key in sample) / len(sample) if sample else 1.0


def _date(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
