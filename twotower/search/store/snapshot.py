"""The declared copy of a study: an SQLite file whose bytes depend on its trials alone."""

import json
import math
import os
import sqlite3
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from optuna import load_study
from optuna.distributions import distribution_to_json
from optuna.trial import FrozenTrial

from twotower.common.errors import NO_PLACE, SearchError
from twotower.common.files import json_text, named, sha256_text
from twotower.common.folders import staged
from twotower.search.store.dashboard import StudyCard
from twotower.search.store.database import (
    ONE,
    Directions,
    Stored,
    open_database,
    open_only_study,
    open_storage,
)
from twotower.search.store.digests import sealed
from twotower.search.store.storage_url import sqlite_storage
from twotower.search.trial import Distributions, Trial

INSERT_SCHEMA = "v3.2.0.a"
"""Version of Optuna's tables that `_insert` can fill; others are filled by Optuna, slowly."""

FULL = "database or disk is full"
"""What SQLite says."""

TRIALS = (
    "INSERT INTO trials (trial_id, number, study_id, state, datetime_start, datetime_complete)"
    " VALUES (?, ?, 1, ?, ?, ?)"
)
VALUES = "INSERT INTO trial_values (trial_id, objective, value, value_type) VALUES (?, ?, ?, ?)"
PARAMS = (
    "INSERT INTO trial_params (trial_id, param_name, param_value, distribution_json)"
    " VALUES (?, ?, ?, ?)"
)
USER_ATTRIBUTES = "INSERT INTO trial_user_attributes (trial_id, key, value_json) VALUES (?, ?, ?)"
SYSTEM_ATTRIBUTES = (
    "INSERT INTO trial_system_attributes (trial_id, key, value_json) VALUES (?, ?, ?)"
)
INTERMEDIATE = (
    "INSERT INTO trial_intermediate_values"
    " (trial_id, step, intermediate_value, intermediate_value_type) VALUES (?, ?, ?, ?)"
)


class UnsyncedConnection(sqlite3.Connection):
    """For a file that no one reads before it is complete and synced."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.execute("PRAGMA synchronous=OFF")
        self.execute("PRAGMA journal_mode=MEMORY")


def write_snapshot(
    path: Path,
    study_name: str,
    trials: Iterable[Trial],
    distributions: Distributions,
    attributes: Mapping[str, Any],
    *,
    directions: Directions = ONE,
    card: StudyCard | None = None,
) -> None:
    """Write trials as an SQLite study whose bytes depend on nothing but the arguments.

    Raises:
        SearchError: if the file cannot be written; the previous file is kept.
    """
    frozen = [sealed(trial.without_times(), distributions) for trial in trials]
    try:
        with staged(path.parent, path) as folder:
            temporary = folder / "snapshot.db"
            _write(temporary, study_name, frozen, attributes, directions=directions, card=card)
            with temporary.open("rb+") as handle:
                os.fsync(handle.fileno())
            temporary.replace(path)
    except (OSError, sqlite3.Error) as error:
        reason = getattr(error, "strerror", None) or error
        msg = f"{path}: cannot be written: {reason}; finished trials are kept, run the search again"
        raise SearchError(msg) from None


def read_snapshot(path: Path) -> tuple[dict[str, Any], list[Trial]]:
    """Attributes of the study in a snapshot, and its trials by number; empty without a file.

    Raises:
        SearchError: if the file is not a snapshot, or was changed since it was written.
    """
    attributes, stored = read_stored(path)
    values, identity = attributes.get("identity_values"), attributes.get("identity")
    if stored.changed:
        problem = f"trial {stored.changed[0]} was changed since it was stored"
    elif not stored.is_whole:
        problem = "a trial was deleted since it was written"
    elif stored.trials and sha256_text(json_text(values, indent=None)) != identity:
        problem = "its identity was changed since it was stored"
    else:
        return attributes, stored.trials
    msg = f"{path}: {problem}; dvc checkout --force {path.name} restores it, dvc repro renews it"
    raise SearchError(msg)


def read_stored(path: Path) -> tuple[dict[str, Any], Stored]:
    """Attributes of the study in a snapshot, and what it has of its trials; empty without a file.

    Raises:
        SearchError: if the file is not a snapshot.
    """
    if not path.exists():
        return {}, Stored([], [], is_whole=True)
    # Optuna opens a database for writing; the declared output must stay as it is.
    with tempfile.TemporaryDirectory(prefix="twotower-") as folder:
        copy = Path(folder) / "snapshot.db"
        storage = sqlite_storage(copy)
        try:
            with named(copy, copy):
                copy.write_bytes(path.read_bytes())
            with open_only_study(storage) as database:
                return database.attributes, database.read()
        except (OSError, SearchError) as error:
            if getattr(error, "errno", None) in NO_PLACE or FULL in str(error):
                raise  # the copy has no place; the snapshot may be as it should
            reason = str(error).removeprefix(f"{storage}: ").partition(";")[0]
            msg = f"{path}: not a study of this search: {reason}; delete the file to start afresh"
            raise SearchError(msg) from None


def _write(
    path: Path,
    study_name: str,
    trials: list[FrozenTrial],
    attributes: Mapping[str, Any],
    *,
    directions: Directions,
    card: StudyCard | None,
) -> None:
    storage, options = sqlite_storage(path), {"connect_args": {"factory": UnsyncedConnection}}
    with open_database(storage, study_name, directions=directions, options=options) as database:
        database.describe(attributes)
        if card is not None:
            database.show(card)
        is_insertable = database.schema == INSERT_SCHEMA
    if not is_insertable:
        with open_storage(storage, options) as rdb:
            load_study(study_name=study_name, storage=rdb).add_trials(trials)
        return
    with closing(UnsyncedConnection(path)) as connection, connection:
        for trial in trials:
            _insert(connection, trial)


def _insert(connection: sqlite3.Connection, trial: FrozenTrial) -> None:
    """Insert the rows that `Study.add_trial` would, which takes 10 ms or more a trial."""
    key = trial.number + 1
    times = (_time(trial.datetime_start), _time(trial.datetime_complete))
    connection.execute(TRIALS, (key, trial.number, trial.state.name, *times))
    connection.executemany(
        VALUES, [(key, place, *_number(v)) for place, v in enumerate(trial.values or ())]
    )
    for name, value in trial.params.items():
        distribution = trial.distributions[name]
        row = (key, name, distribution.to_internal_repr(value), distribution_to_json(distribution))
        connection.execute(PARAMS, row)
    for statement, attributes in (
        (USER_ATTRIBUTES, trial.user_attrs),
        (SYSTEM_ATTRIBUTES, trial.system_attrs),
    ):
        connection.executemany(
            statement, [(key, name, json.dumps(value)) for name, value in attributes.items()]
        )
    connection.executemany(
        INTERMEDIATE,
        [(key, step, *_number(value)) for step, value in trial.intermediate_values.items()],
    )


def _number(value: float) -> tuple[float | None, str]:
    if math.isnan(value):
        return None, "NAN"
    if math.isinf(value):
        return None, "INF_POS" if value > 0 else "INF_NEG"
    return value, "FINITE"


def _time(moment: datetime | None) -> str | None:
    """The moment, which is local and naive as in all of Optuna, as SQLAlchemy stores it in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f") if moment else None
