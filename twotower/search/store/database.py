"""Trials in a database, in the form that Optuna and its dashboard read."""

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import OptunaError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial
from sqlalchemy import event, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from twotower.common.errors import SearchError
from twotower.evaluation.metrics import Direction
from twotower.search.store.dashboard import StudyCard
from twotower.search.store.digests import DIGEST, UNREADABLE, ChangedTrialError, sealed, unsealed
from twotower.search.store.locks import schema_lock
from twotower.search.store.storage_url import BUSY_SECONDS, Storage
from twotower.search.trial import Distributions, Trial

NUMBERS_FROM = text(
    "SELECT number FROM trials JOIN studies ON studies.study_id = trials.study_id"
    " WHERE study_name = :study AND number >= :number"
)
TRIAL_IDS = text(
    "SELECT trial_id, number FROM trials JOIN studies ON studies.study_id = trials.study_id"
    " WHERE study_name = :study ORDER BY trial_id"
)
PROGRAMS = "SELECT type FROM sqlite_master WHERE type NOT IN ('table', 'index')"
KEPT = "; finished trials are kept, and the next run resumes the search"


Directions = Sequence[Direction]
ONE: Directions = ("maximize",)


class NumberTakenError(Exception):
    """Another program has added a trial to the study."""


class DamagedDatabaseError(SearchError):
    """A database holds what no search has written."""


@dataclass(frozen=True)
class Stored:
    """What a database has of a study.

    Attributes:
        trials: as they were stored, by number.
        changed: numbers of those that are not.
        is_whole: whether the trials are 0..n-1, and all that there is.
    """

    trials: list[Trial]
    changed: list[int]
    is_whole: bool


class TrialDatabase:
    """One study in an Optuna storage, with finished trials only, in the order of their numbers."""

    def __init__(
        self,
        storage: Storage,
        rdb: RDBStorage,
        study_name: str,
        guard: Callable[[], None],
        directions: Directions | None = None,
    ) -> None:
        """Open or create the study.

        Args:
            storage: where it is.
            rdb: the same, opened by Optuna.
            study_name: unique in the storage.
            guard: called before a trial is stored; raises if storing is not allowed.
            directions: of the objectives; None: those of the study, which exists.
        """
        self._storage = storage
        self._name = study_name
        self._rdb = rdb
        self._guard = guard
        if directions is None:
            self._study = optuna.load_study(storage=rdb, study_name=study_name)
        else:
            self._study = optuna.create_study(
                storage=rdb, study_name=study_name, directions=directions, load_if_exists=True
            )
            if [way.name.lower() for way in self._study.directions] != [*directions]:
                raise SearchError(self._unusable("has other objectives or directions"))
        self._next: int | None = None
        event.listen(rdb.scoped_session, "before_commit", self._check_number)

    def read(self) -> Stored:
        """All trials.

        Raises:
            SearchError: if another program has added a trial.
        """
        stored, foreign = self._read()
        if foreign is not None:
            raise SearchError(self._foreign(foreign))
        return stored

    def read_own(self) -> Stored:
        """The trials that no other program has added."""
        return self._read()[0]

    def append(self, trial: Trial, distributions: Distributions) -> None:
        """Store the trial that comes next, in one transaction.

        Raises:
            SearchError: if the database cannot store it, or another program has added a trial.
        """
        with explained(self._storage, KEPT):
            self._guard()
            self._next = trial.number
            try:
                self._study.add_trial(sealed(trial, distributions))
            except NumberTakenError:
                # Optuna retries after an error, even if only the reply got lost.
                stored = self.read_own()
                if not stored.is_whole or stored.trials[trial.number :] != [trial]:
                    raise SearchError(self._foreign(trial.number)) from None
            finally:
                self._next = None

    def describe(self, attributes: Mapping[str, Any]) -> None:
        """Store facts about the study; each is written once."""
        with explained(self._storage):
            stored = self._study.user_attrs
            for name, value in sorted(attributes.items()):
                if name not in stored or stored[name] != value:
                    self._study.set_user_attr(name, value)

    def show(self, card: StudyCard) -> None:
        """Store what optuna-dashboard shows of the study, as far as it is not there already."""
        with explained(self._storage):
            study = self._rdb.get_study_id_from_name(self._name)
            stored = self._rdb.get_study_system_attrs(study)
            for name, value in card.attributes(stored):
                self._rdb.set_study_system_attr(study, name, value)

    def __str__(self) -> str:
        return str(self._storage)

    @property
    def attributes(self) -> dict[str, Any]:
        """The facts that `describe` stored."""
        with explained(self._storage):
            return self._study.user_attrs

    @property
    def schema(self) -> str:
        """Version of Optuna's tables."""
        return self._rdb.get_current_version()

    def _read(self) -> tuple[Stored, int | None]:
        """Our trials, and the number of the first that another program has added."""
        with explained(self._storage):
            stored = self._frozen()
        is_sealed = any(frozen and DIGEST in frozen.user_attrs for _, frozen in stored)
        trials: dict[int, Trial] = {}
        changed: list[int] = []
        foreign = None
        for number, frozen in stored:
            try:
                if frozen is None:
                    raise ChangedTrialError
                trials[number] = unsealed(frozen, is_sealed=is_sealed)
            except ChangedTrialError:
                changed.append(number)
            except TypeError:
                foreign = number if foreign is None else foreign
        is_whole = list(trials) == list(range(len(stored)))
        return Stored([trials[number] for number in sorted(trials)], changed, is_whole), foreign

    def _frozen(self) -> list[tuple[int, FrozenTrial | None]]:
        """Number and content of each trial; None where Optuna cannot read what was changed."""
        study = self._rdb.get_study_id_from_name(self._name)
        try:
            return [(trial.number, trial) for trial in self._rdb.get_all_trials(study)]
        except UNREADABLE:
            pass  # it reads all or none
        with self._rdb.engine.connect() as connection:
            ids = connection.execute(TRIAL_IDS, {"study": self._name}).all()
        return [(number, self._readable(trial_id)) for trial_id, number in ids]

    def _readable(self, trial_id: int) -> FrozenTrial | None:
        try:
            return self._rdb.get_trial(trial_id)
        except UNREADABLE:
            return None

    def _check_number(self, session: Session) -> None:
        """Let a trial be committed only under its own number."""
        if self._next is None:
            return
        session.flush()
        values = {"study": self._name, "number": self._next}
        numbers = session.execute(NUMBERS_FROM, values).scalars().all()
        if numbers != [self._next]:
            raise NumberTakenError

    def _foreign(self, number: int) -> str:
        return self._unusable(f"has a trial {number} that this search did not run")

    def _unusable(self, problem: str) -> str:
        return (
            f"{self._storage}: study {self._name} {problem}; set hpo.study_name to another name"
            " (this search's own trials are copied to it)"
        )


@contextmanager
def open_database(
    storage: Storage,
    study_name: str,
    *,
    directions: Directions | None = ONE,
    guard: Callable[[], None] = lambda: None,
    options: Mapping[str, Any] | None = None,
) -> Iterator[TrialDatabase]:
    """The study of that name, created if it does not exist.

    Args:
        storage: where it is.
        study_name: unique in the storage.
        directions: of the objectives; None: those of the study, which exists.
        guard: called before a trial is stored; raises if storing is not allowed.
        options: of SQLAlchemy's engine, in place of the storage's.

    Raises:
        SearchError: if the database does not exist, or has other tables than Optuna's.
    """
    with open_storage(storage, options) as rdb:
        with explained(storage):
            database = TrialDatabase(storage, rdb, study_name, guard, directions)
        yield database


@contextmanager
def open_only_study(storage: Storage) -> Iterator[TrialDatabase]:
    """The study in a storage that has one.

    Raises:
        SearchError: if it has another number of them, or other tables than Optuna's.
    """
    with open_storage(storage) as rdb:
        with explained(storage):
            names = optuna.get_all_study_names(rdb)
            if len(names) != 1:
                raise SearchError(f"it has {len(names)} studies instead of one")
            database = TrialDatabase(storage, rdb, names[0], lambda: None)
        yield database


def study_names(storage: Storage) -> list[str]:
    """All studies in the storage, in alphabetical order."""
    with open_storage(storage) as rdb, explained(storage):
        return sorted(optuna.get_all_study_names(rdb))


def delete_study(storage: Storage, study_name: str) -> None:
    """Delete a study with all its trials."""
    with open_storage(storage) as rdb, explained(storage):
        optuna.delete_study(study_name=study_name, storage=rdb)


@contextmanager
def open_storage(
    storage: Storage, options: Mapping[str, Any] | None = None
) -> Iterator[RDBStorage]:
    """Optuna's storage, with its tables; closed at the end."""
    engine = dict(storage.engine_options() if options is None else options)
    if not storage.is_server and storage.file.is_file():
        _refuse_programs(storage)
    with explained(storage), schema_lock(storage):
        rdb = RDBStorage(storage.optuna_url, engine_kwargs=engine)
    try:
        yield rdb
    finally:
        rdb.remove_session()
        rdb.engine.dispose()


def _refuse_programs(storage: Storage) -> None:
    """Of a file that somebody else made, a view may stand for rows without end."""
    with (
        suppress(sqlite3.Error, UnicodeDecodeError),  # the latter of a text that is damaged
        closing(sqlite3.connect(storage.file, BUSY_SECONDS)) as connection,
    ):
        if found := connection.execute(PROGRAMS).fetchone():
            msg = f"{storage}: it has a {found[0]}, and Optuna makes none"
            raise DamagedDatabaseError(msg)


@contextmanager
def explained(storage: Storage, outlook: str = "") -> Iterator[None]:
    """Turn the errors of a database into one line, which ends with `outlook`.

    Raises:
        DamagedDatabaseError: if it holds what no search has written.
        SearchError: if it cannot be used.
    """
    try:
        yield
    except (OptunaError, SQLAlchemyError, ImportError, RuntimeError, *UNREADABLE) as error:
        line = f"{storage}: {storage.explain(error)}{outlook}"
        is_damaged = isinstance(error, UNREADABLE) or storage.is_damaged(error)
        raise (DamagedDatabaseError if is_damaged else SearchError)(line) from None


def set_aside(file: Path) -> Path:
    """Rename a damaged SQLite file, with its journals, and return its new name."""
    kept = file.with_name(f"{file.name}.damaged")
    for suffix in ("", "-journal", "-wal", "-shm"):
        part = file.with_name(file.name + suffix)
        if os.path.lexists(part):
            part.replace(kept.with_name(kept.name + suffix))
    return kept
