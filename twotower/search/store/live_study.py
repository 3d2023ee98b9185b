"""The live study: finished trials on disk, whatever happens to the process."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager

from twotower.common.errors import SearchError
from twotower.common.files import write_json
from twotower.config.hpo import HpoConfig
from twotower.search.store.dashboard import StudyCard
from twotower.search.store.database import (
    DamagedDatabaseError,
    TrialDatabase,
    delete_study,
    explained,
    open_database,
    set_aside,
)
from twotower.search.store.digests import not_used
from twotower.search.store.location import StudyLocation
from twotower.search.store.locks import Say, ServerLock, file_lock
from twotower.search.store.origins import stored_elsewhere
from twotower.search.store.storage_url import Storage
from twotower.search.store.trial_files import TrialFiles
from twotower.search.trial import Distributions, Trial, distributions


class ChangedStudyError(SearchError):
    """A database lacks a trial, or has one that was changed since it was stored."""


class LiveStudy:
    """Finished trials of one identity and provenance.

    Attributes:
        trials: finished trials by number.
        committed: how many of them, from 0 on, are in the database.
    """

    def __init__(
        self,
        files: TrialFiles,
        database: TrialDatabase,
        distributions: Distributions,
        say: Say = lambda _line: None,
    ) -> None:
        """Read the trials.

        Raises:
            ChangedStudyError: if one of them was changed; files then hold all others.
            SearchError: if the database or the files cannot be used.
        """
        self._files = files
        self._database = database
        self._distributions = distributions
        stored = database.read()
        self.trials = {trial.number: trial for trial in stored.trials}
        self.committed = len(self.trials)
        self.trials |= files.intact(say, but=self.trials)
        if not stored.is_whole:
            for trial in self.trials.values():
                files.write(trial)
            missing = {*stored.changed, *range(max(self.trials, default=0))} - self.trials.keys()
            raise ChangedStudyError(not_used(missing, database))
        self._commit()

    def add(self, trial: Trial) -> None:
        """Keep a finished trial: on disk when this returns.

        Raises:
            SearchError: if it cannot be kept, or only in its file.
        """
        self._files.write(trial)
        self.trials[trial.number] = trial
        self._commit()

    def take_over(self, trials: Iterable[Trial]) -> None:
        """Copy those of trials 0..n-1 of another study that are missing here."""
        for trial in trials:
            self.trials.setdefault(trial.number, trial)
        self._commit()

    def _commit(self) -> None:
        """Move trials into the database, up to the first number that is missing."""
        while (trial := self.trials.get(self.committed)) is not None:
            self._database.append(trial, self._distributions)
            self._files.delete(trial.number)
            self.committed += 1


@contextmanager
def open_study(location: StudyLocation, config: HpoConfig, say: Say) -> Iterator[LiveStudy]:
    """The live study, locked, with the trials that are stored elsewhere and missing here.

    Args:
        location: which study, and where.
        config: space, `on_drift`, `storage` and `study_name` count.
        say: shows a line to the user.

    Raises:
        SearchError: if the storage cannot be used, or stored trials were made by other code,
            libraries or CPU capability and `on_drift` is `error`.
    """
    with ExitStack() as stack:
        try:
            study = _open(stack, location, config, say)
        except OSError as error:
            where = error.filename2 or error.filename or location.root
            msg = f"{where}: cannot store the study: {error.strerror or error}"
            raise SearchError(msg) from None
        yield study


def _open(stack: ExitStack, location: StudyLocation, config: HpoConfig, say: Say) -> LiveStudy:
    """Lock first, then read: another search may store trials until it lets go."""
    storage, name = location.storage(config), location.study_name(config)
    stack.enter_context(file_lock(location.home / "lock", say))
    location.trials.mkdir(parents=True, exist_ok=True)
    write_json(location.home / "identity.json", location.identity.values)
    write_json(location.folder / "provenance.json", location.provenance.values)
    ways = [*config.directions.values()]
    guard = stack.enter_context(_storage_lock(storage, name, location, say))

    def open_live() -> LiveStudy:
        with ExitStack() as opened:
            database = opened.enter_context(
                open_database(storage, name, directions=ways, guard=guard)
            )
            study = _read(database, location, config, say)
            stack.push(opened.pop_all())
        return study

    try:
        study = open_live()
    except ChangedStudyError as error:
        # Optuna's databases cannot replace a trial, so the study begins anew.
        say(str(error))
        if storage == location.own_storage:
            set_aside(storage.file)
        else:
            delete_study(storage, name)
        study = open_live()
    except DamagedDatabaseError as error:
        if storage != location.own_storage:
            raise
        kept = set_aside(storage.file)
        say(f"{error}; it is kept as {kept.name}, and trials that have no other copy run again")
        study = open_live()
    study.take_over(stored_elsewhere(location, config, say, study.trials))
    return study


def _read(
    database: TrialDatabase, location: StudyLocation, config: HpoConfig, say: Say
) -> LiveStudy:
    """The live study as far as it is in its own database and files."""
    space = distributions(config.search_space)
    study = LiveStudy(TrialFiles(location.trials), database, space, say)
    database.describe(
        {
            "identity": location.identity.digest,
            "identity_values": location.identity.values,
            "provenance": location.provenance.digest,
            "provenance_values": location.provenance.values,
        }
    )
    database.show(StudyCard.live(config.directions))
    return study


@contextmanager
def _storage_lock(
    storage: Storage, name: str, location: StudyLocation, say: Say
) -> Iterator[Callable[[], None]]:
    """Hold the study against searches in other clones or on other machines.

    Yields:
        A function that makes sure that the lock is still held.
    """
    if storage.is_server:
        with explained(storage):
            lock = ServerLock(storage, name)
            lock.acquire(say)
        try:
            yield lock.ensure
        finally:
            lock.release()
    elif storage == location.own_storage:
        yield lambda: None
    else:
        with file_lock(storage.file.with_name(f"{storage.file.name}.{name}.lock"), say):
            yield lambda: None
