"""Trials in a database, in the form that Optuna and its dashboard read."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import RDBStorage
from sqlalchemy.exc import SQLAlchemyError

from twotower.common.errors import SearchError
from twotower.search.trial import Distributions, TrialRecord


class TrialDatabase:
    """One study in an Optuna storage; holds finished trials only, in the order of their numbers."""

    def __init__(self, storage: RDBStorage, study_name: str) -> None:
        self._study = optuna.create_study(
            storage=storage, study_name=study_name, direction="maximize", load_if_exists=True
        )

    def records(self) -> list[TrialRecord]:
        """All trials, by number."""
        trials = self._study.get_trials(deepcopy=False)
        return [TrialRecord.from_optuna(trial) for trial in trials]

    def append(self, record: TrialRecord, distributions: Distributions) -> None:
        """Store the trial that comes next, in one transaction."""
        self._study.add_trial(record.to_optuna(distributions))

    def describe(self, attributes: Mapping[str, Any]) -> None:
        """Store facts about the study; each is written once."""
        known = self._study.user_attrs
        for name, value in sorted(attributes.items()):
            if known.get(name) != value:
                self._study.set_user_attr(name, value)

    @property
    def attributes(self) -> dict[str, Any]:
        """What `describe` stored."""
        return self._study.user_attrs


@contextmanager
def open_database(url: str, study_name: str) -> Iterator[TrialDatabase]:
    """The study of that name, made if it is not there.

    Args:
        url: as SQLAlchemy reads it, e.g. sqlite:///path.db.
        study_name: unique in the database.

    Raises:
        SearchError: if there is no such database, or it is not one of Optuna's.
    """
    try:
        storage = RDBStorage(url)
    except (SQLAlchemyError, ImportError, ValueError, RuntimeError) as error:
        msg = f"hpo.storage: cannot use {mask_password(url)}: {_first_line(error)}"
        raise SearchError(msg) from None
    try:
        yield TrialDatabase(storage, study_name)
    finally:
        storage.remove_session()
        storage.engine.dispose()


def write_snapshot(
    path: Path,
    study_name: str,
    records: Iterable[TrialRecord],
    distributions: Distributions,
    attributes: Mapping[str, Any],
) -> None:
    """Write trials as an SQLite study whose bytes depend on nothing but the arguments."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".tmp-") as folder:
        temporary = Path(folder) / "snapshot.db"
        with open_database(_sqlite_url(temporary), study_name) as database:
            database.describe(attributes)
            for record in records:
                database.append(record.without_times(), distributions)
        with temporary.open("rb+") as handle:
            os.fsync(handle.fileno())
        temporary.replace(path)


def read_snapshot(path: Path) -> tuple[dict[str, Any], list[TrialRecord]]:
    """Facts about the study in a snapshot, and its trials by number; nothing if there is no file.

    Raises:
        SearchError: if the file is not a snapshot.
    """
    if not path.exists():
        return {}, []
    # Optuna opens a database for writing; the declared output must stay as it is.
    with tempfile.TemporaryDirectory(prefix="twotower-") as folder:
        copy = Path(folder) / "snapshot.db"
        copy.write_bytes(path.read_bytes())
        try:
            names = optuna.get_all_study_names(_sqlite_url(copy))
        except (SQLAlchemyError, ValueError, RuntimeError) as error:
            msg = f"{path}: not a study: {_first_line(error)}; delete the file to start anew"
            raise SearchError(msg) from None
        if len(names) != 1:
            msg = f"{path}: holds {len(names)} studies instead of one; delete it to start anew"
            raise SearchError(msg)
        with open_database(_sqlite_url(copy), names[0]) as database:
            return database.attributes, database.records()


def mask_password(url: str) -> str:
    """The URL with its password as ***."""
    from sqlalchemy.engine import make_url

    try:
        return make_url(url).render_as_string(hide_password=True)
    except SQLAlchemyError:
        return "the URL"


def _sqlite_url(path: Path) -> str:
    return f"sqlite:///{path.as_posix()}"


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
