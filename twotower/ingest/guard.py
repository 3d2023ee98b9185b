"""Guard rails: data that differs too much from the last run's stops the pipeline.

A stage cannot depend on its own output, so a profile of the last run's data is kept under version
control, in `data/last_run.json`. While it is empty or absent, nothing is checked.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
from pydantic import Field, PositiveInt, TypeAdapter

from twotower.common.arrays import Int64Array
from twotower.common.errors import DataError
from twotower.common.files import read_json, write_json
from twotower.common.hashing import id_hashes
from twotower.common.units import DAY
from twotower.config.splitting import GuardConfig
from twotower.ingest.events import SIDES, Events

LAST_RUN = Path("data/last_run.json")
SKETCH = 1000
"""Number of users, and of items, that are compared: those with the smallest hashes."""
RESET = "twotower retrain reset"


Seconds = Annotated[int, Field(ge=-62_135_596_800, le=253_402_300_799)]
"""Since 1970, UTC, in the years 1 to 9999, which dates have."""


@dataclass(frozen=True)
class DataProfile:
    """Summary of a run's interactions, all splits together.

    Attributes:
        rows: number of interactions, at least 1.
        users: number of distinct users.
        items: likewise.
        first: time of the first event, seconds since 1970, UTC; None for data without times.
        last: likewise, of the last event.
        user_hashes: the SKETCH smallest hashes of user ids, ascending.
        item_hashes: likewise.
        user_ids: "integer" or "text"; None in a profile that an earlier version wrote.
        item_ids: likewise.
    """

    rows: PositiveInt
    users: int
    items: int
    first: Seconds | None
    last: Seconds | None
    user_hashes: list[str]
    item_hashes: list[str]
    user_ids: str | None = None
    item_ids: str | None = None


def profile(splits: Mapping[str, pd.DataFrame]) -> DataProfile:
    """Profile of a run's splits, each with user_id, item_id and timestamp."""
    rows = pd.concat(list(splits.values()), ignore_index=True)
    users, items = (rows[column].drop_duplicates() for column in ("user_id", "item_id"))
    return _profile(users, items, rows["timestamp"].to_numpy())


def profile_of_events(events: Events) -> DataProfile:
    """The same, before they are written."""
    users, items = (events.ids[side].to_pandas() for side in SIDES)
    return _profile(users, items, events.timestamps)


def _profile(users: pd.Series, items: pd.Series, timestamps: Int64Array) -> DataProfile:
    timed = bool((timestamps != 0).any())
    return DataProfile(
        rows=len(timestamps),
        users=len(users),
        items=len(items),
        first=int(timestamps.min()) if timed else None,
        last=int(timestamps.max()) if timed else None,
        user_hashes=_sketch(users),
        item_hashes=_sketch(items),
        user_ids=id_kind(users),
        item_ids=id_kind(items),
    )


def id_kind(ids: pd.Series) -> str:
    """What ids of this type are called: integer or text."""
    return "integer" if pd.api.types.is_integer_dtype(ids.dtype) else "text"


def _sketch(ids: pd.Series) -> list[str]:
    digests = np.sort(id_hashes(ids).byteswap())[:SKETCH]  # in hex, the bytes of the digest
    return [f"{digest:016x}" for digest in digests.tolist()]


def write_last_run(path: Path, data: DataProfile | None) -> None:
    """Keep the profile for the next run; None: the next run is not checked."""
    write_json(path, {} if data is None else asdict(data))


def read_last_run(path: Path) -> DataProfile | None:
    """Read what `write_last_run` wrote; None if it is empty or there is no file.

    Raises:
        DataError: if the file is not such a profile.
    """
    try:
        content = read_json(path)
        return None if content == {} else TypeAdapter(DataProfile).validate_python(content)
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        msg = f"{path}: not a profile of the last run's data; empty it with: {RESET}"
        raise DataError(msg) from None


def check_data(
    profiled: Callable[[], DataProfile],
    last_run: Path,
    config: GuardConfig,
    why_text: Mapping[str, str | None] | None = None,
) -> None:
    """Compare new data with the last run's.

    Args:
        profiled: gives the profile of the new data, where there is one to compare it with.
        last_run: file of the last run's profile.
        config: limits of change.
        why_text: what makes the ids text, for "user" and "item"; None: unknown.

    Raises:
        DataError: naming every limit that is exceeded, the values, and what to do.
    """
    last = read_last_run(last_run)
    if last is None:
        return
    new = profiled()
    changed = list(_changed_ids(last, new, why_text or {}))
    exceeded = list(_exceeded(last, new, config))
    if changed or exceeded:
        # For types of ids, which clients know, there is no limit to change.
        ways = "run" if changed else "change the limit in params.yaml or run"
        msg = (
            f"the data differs too much from the last run's: {'; '.join(changed + exceeded)}; "
            f"if this is intended, {ways}: {RESET}"
        )
        raise DataError(msg)


def _changed_ids(
    last: DataProfile, new: DataProfile, why_text: Mapping[str, str | None]
) -> Iterator[str]:
    """Clients that ask with ids of the other type would be refused, whatever the limits."""
    for side in ("user", "item"):
        before, now = (getattr(data, f"{side}_ids") for data in (last, new))
        if before is not None and before != now:
            why = why_text.get(side)
            because = f" because of {why}" if why else ""
            yield f"{side} ids were {before} and are {now}{because} (data.{side}s.id_type)"


def _exceeded(last: DataProfile, new: DataProfile, config: GuardConfig) -> Iterator[str]:
    ratio = new.rows / last.rows
    rows = f"{new.rows:,} rows, {ratio:.2f} times the last run's {last.rows:,}"
    if config.min_rows is not None and ratio < config.min_rows:
        yield f"{rows} (guard.min_rows: {config.min_rows:g})"
    if config.max_rows is not None and ratio > config.max_rows:
        yield f"{rows} (guard.max_rows: {config.max_rows:g})"
    for kind, before, now, limit in (
        ("users", last.user_hashes, new.user_hashes, config.max_new_users),
        ("items", last.item_hashes, new.item_hashes, config.max_new_items),
    ):
        share = share_of_new(before, now)
        if limit is not None and share > limit:
            yield f"{share:.0%} of the {kind} are new (guard.max_new_{kind}: {limit:g})"
    yield from _exceeded_dates(last, new, config)


def _exceeded_dates(last: DataProfile, new: DataProfile, config: GuardConfig) -> Iterator[str]:
    if last.first is None or last.last is None:
        return
    if new.first is None or new.last is None:
        yield "the events no longer have times"
        return
    for what, before, now, days, rule in (
        ("first", last.first, new.first, (new.first - last.first) / DAY, "max_days_lost"),
        ("last", last.last, new.last, (last.last - new.last) / DAY, "max_days_back"),
        ("last", last.last, new.last, (new.last - last.last) / DAY, "max_days_new"),
    ):
        limit: float | None = getattr(config, rule)
        if limit is not None and days > limit:
            dates = f"from {_date(before)} to {_date(now)}"
            yield f"the {what} event moved {dates} (guard.{rule}: {limit:g})"


def share_of_new(before: list[str], now: list[str]) -> float:
    """Share of the ids that are new, estimated from two sketches; exact up to SKETCH ids.

    Hashes are as good as random, so the ids with hashes below any bound are a random sample.
    """
    bound = before[-1] if len(before) == SKETCH else None
    sample = [key for key in now if bound is None or key <= bound]
    existing = set(before)
    return sum(key not in existing for key in sample) / len(sample) if sample else 1.0


def _date(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
