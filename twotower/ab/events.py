"""Reads what users did, as `prepare` reads interactions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from twotower.common.arrays import BoolArray, Float64Array, Int64Array
from twotower.common.choices import choice_rule
from twotower.common.errors import ConfigError, DataError
from twotower.config.data import DataConfig
from twotower.config.splitting import SplitConfig
from twotower.data.splits import UNSPLIT
from twotower.ingest.event_rows import EventRows, Input, read_rows
from twotower.ingest.event_rules import check_rows, convert
from twotower.ingest.locate import interaction_roles
from twotower.ingest.open_file import format_of, open_source, part_files
from twotower.ingest.problems import Problems
from twotower.ingest.recognised_names import event_type

if TYPE_CHECKING:
    from twotower.ab.exposures import Exposures

NO_TABLES = {"users": None, "items": None}


@dataclass(frozen=True)
class UserEvents:
    """Events of the users of a log.

    Attributes:
        users: [num_rows] position of the user in `Exposures.users`.
        items: [num_rows] position of the item in `Recommended.items`, -1 if it is not there.
        times: [num_rows] seconds since 1970, UTC.
        weights: [num_rows] as the column of weights has them; 1 without one.
        has_weights: whether there is such a column.
        last: seconds since 1970, UTC, of the latest event of anybody and any type.
        whole_days: whether all times are midnights, as dates without a time of day are.
        dropped: rows dropped per rule, if `data.on_invalid` says so.
    """

    users: Int64Array
    items: Int64Array
    times: Float64Array
    weights: Float64Array
    has_weights: bool
    last: float
    whole_days: bool
    dropped: Mapping[str, int]


def read_events(
    path: Path, exposures: "Exposures", config: DataConfig, types: Sequence[str]
) -> UserEvents:
    """The events of some types, of users who were exposed.

    Args:
        path: a file, a folder of part files or a pattern, in any format that `prepare` reads, with
            columns of users, items and times.
        exposures: give users and items, and the types of their ids.
        config: section `data`.
        types: of event, as in `data.event_weights`; empty: all.

    Raises:
        ConfigError: if a type is not in `data.event_weights`.
        DataError: if the file cannot be read, lacks a column, or a row breaks a rule.
    """
    config = _as_the_log(config, exposures)
    rows = _read(path, config)
    problems = Problems()
    columns, rules = convert(rows, config, NO_TABLES)
    checks = check_rows(rows, rules, config, problems)
    problems.raise_any()
    valid, times = checks[0].valid, columns["timestamp"]
    if not valid.any():
        msg = f"{path}: no valid rows left"
        raise DataError(msg)
    last, whole_days = float(times[valid].max()), bool((times[valid] % 86_400 == 0).all())
    places = _places(rows, "user", exposures.users)
    used = np.flatnonzero(valid & (places >= 0) & _of_types(rows, config, types))
    recommended = exposures.recommended
    items = (
        np.full(len(used), -1)
        if recommended is None
        else _places(rows, "item", recommended.items)[used]
    )
    return UserEvents(
        users=places[used],
        items=items,
        times=times[used],
        weights=columns["weight"][used],
        has_weights=rows.weight is not None,
        last=last,
        whole_days=whole_days,
        dropped=checks[0].dropped,
    )


def _as_the_log(config: DataConfig, exposures: "Exposures") -> DataConfig:
    """Ids get the types that they have in the log; all types of event weigh the same."""
    recommended = exposures.recommended
    users = {"id_type": _id_type(exposures.users)}
    items = {"id_type": _id_type(recommended.items) if recommended else "text"}
    return config.model_copy(
        update={
            "users": config.users.model_copy(update=users),
            "items": config.items.model_copy(update=items),
            "event_weights": dict.fromkeys(config.event_weights, 1.0),
        }
    )


def _id_type(ids: "pd.Index[Any]") -> str:
    return "text" if len(ids) and isinstance(ids[0], str) else "integer"


def _read(path: Path, config: DataConfig) -> EventRows:
    files = part_files(path)
    if not files and not path.is_dir():
        msg = f"{path}: no such file"
        raise DataError(msg)
    is_clear = bool(files) and format_of(files[0]) is not None
    source = open_source(path, config, None if is_clear else config.interactions.format)
    problems = Problems()
    roles = interaction_roles(source, config, SplitConfig(strategy="random"), problems)
    problems.raise_any()
    if roles is None or "timestamp" not in roles:
        msg = (
            f"{source.name}: what came after an exposure is known by the times of events, and "
            "there is no column of times; set data.interactions.columns.timestamp"
        )
        raise DataError(msg)
    rows = read_rows([Input(source, path.name, roles, UNSPLIT)], config, NO_TABLES, problems)
    problems.raise_any()
    return rows


def _places(rows: EventRows, side: str, known: "pd.Index[Any]") -> Int64Array:
    """[num_rows] position of each row's id among the known ones; -1: none of them."""
    ids = rows.ids[side]
    of_values = np.append(known.get_indexer(pd.Index(ids.values.to_pylist())), -1)
    return of_values[ids.raw.codes].astype(np.int64)


def _of_types(rows: EventRows, config: DataConfig, types: Sequence[str]) -> BoolArray:
    """[num_rows] whether the event is of one of the types."""
    if not types:
        return np.ones(sum(rows.num_rows), dtype=bool)
    names = {event_type(one, config.event_weights): one for one in types}
    if None in names:
        raise ConfigError(f"--event: {choice_rule(names[None], config.event_weights)}")
    if "event" not in rows.texts:
        msg = (
            f"{rows.inputs[0].source.name}: --event needs a column of events, and there is none; "
            "set data.interactions.columns.event, or leave out --event"
        )
        raise DataError(msg)
    texts, codes = rows.texts["event"]
    wanted = [event_type(text, config.event_weights) in names for text in texts.to_pylist()]
    return np.array(wanted, dtype=bool)[codes]
