"""The profile of a run's data, with which the next run's is compared.

A stage cannot depend on its own output, so `twotower retrain start` copies the profile that prepare
leaves in data/prepared/ to `data/last_run.json`, which is under version control.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, TypeAdapter

from twotower.common.errors import DataError
from twotower.common.files import read_json, write_json
from twotower.common.hashing import id_hashes
from twotower.ingest.drift import SKETCH, Count, FeatureProfile, hex_hashes, profile_feature
from twotower.ingest.event_log import EventLog
from twotower.ingest.events import SIDES, Events
from twotower.ingest.side_tables import SideTable

LAST_RUN = Path("data/last_run.json")
PROFILE = "profile.json"
"""In the folder of prepared data: the profile of this run's data."""
RESET = "twotower retrain reset"


Seconds = Annotated[int, Field(ge=-62_135_596_800, le=253_402_300_799)]
"""Since 1970, UTC, in the years 1 to 9999, which dates have."""
IdKind = Annotated[str, Field(pattern="^(integer|text)$")]


@dataclass(frozen=True)
class DataProfile:
    """Summary of a run's data, all splits together; what an earlier version did not write is None.

    Attributes:
        rows: number of interactions, at least 1.
        users: number of distinct users.
        items: likewise.
        first: time of the first event, seconds since 1970, UTC; None for data without times.
        last: likewise, of the last event.
        user_hashes: the SKETCH smallest hashes of user ids, ascending.
        item_hashes: likewise.
        user_ids: "integer" or "text".
        item_ids: likewise.
        item_rows: rows of each of the items in item_hashes.
        events: rows of each event type; empty without such a column.
        features: by table and name, as in "items.price".
    """

    rows: Count
    users: int
    items: int
    first: Seconds | None
    last: Seconds | None
    user_hashes: list[str]
    item_hashes: list[str]
    user_ids: IdKind | None = None
    item_ids: IdKind | None = None
    item_rows: list[Count] | None = None
    events: dict[str, Count] | None = None
    features: dict[str, FeatureProfile] | None = None

    def __post_init__(self) -> None:
        if self.item_rows is not None and len(self.item_rows) != len(self.item_hashes):
            msg = "item_rows and item_hashes differ in length"
            raise ValueError(msg)


def profile(events: Events, log: EventLog, tables: Mapping[str, SideTable | None]) -> DataProfile:
    """Profile of a run's data.

    Args:
        events: all rows, sorted.
        log: how they were read.
        tables: the users and items tables.
    """
    timestamps = events.timestamps
    timed = bool((timestamps != 0).any())
    users, items = (_rows_by_hash(events, side) for side in SIDES)
    return DataProfile(
        rows=len(timestamps),
        users=len(events.ids["user"]),
        items=len(events.ids["item"]),
        first=int(timestamps.min()) if timed else None,
        last=int(timestamps.max()) if timed else None,
        user_hashes=list(users),
        item_hashes=list(items),
        user_ids=log.ids["user"],
        item_ids=log.ids["item"],
        item_rows=list(items.values()),
        events=dict(log.events),
        features={
            f"{role}.{name}": profile_feature(feature)
            for role, table in tables.items()
            if table is not None
            for name, feature in table.features.items()
        },
    )


def _rows_by_hash(events: Events, side: str) -> dict[str, int]:
    """Rows of the ids with the smallest hashes."""
    ids = events.ids[side]
    rows = np.bincount(events.columns[side], minlength=len(ids))
    digests = id_hashes(ids.to_pandas())
    least = np.argsort(digests.byteswap())[:SKETCH]  # ids are many: only these are written
    return dict(zip(hex_hashes(digests[least]), rows[least].tolist(), strict=True))


def write_last_run(path: Path, data: DataProfile | None) -> None:
    """Keep the profile for the next run; None: the next run is not checked."""
    write_json(path, {} if data is None else asdict(data))


def read_profile(prepared: Path) -> DataProfile:
    """The profile of the data that was prepared last.

    Raises:
        DataError: if it is missing or damaged.
    """
    path = prepared / PROFILE
    found = read_last_run(path)
    if found is None:
        msg = f"{path}: no such file; run the prepare stage first (dvc repro prepare)"
        raise DataError(msg)
    return found


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
