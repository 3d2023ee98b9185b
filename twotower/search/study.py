"""The live study: finished trials on disk, whatever happens to the process.

.hpo/<identity>/lock                        held while a search runs
.hpo/<identity>/<provenance>/study.db       trials as Optuna stores them, in number order
.hpo/<identity>/<provenance>/trials/0007.json
    written first, whole or not at all; a trial counts as soon as it is there
"""

import contextlib
import json
import os
import platform
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from twotower.common.errors import SearchError
from twotower.common.files import write_json
from twotower.config.search import HpoConfig
from twotower.search.database import TrialDatabase, open_database, read_snapshot
from twotower.search.identity import Fingerprint
from twotower.search.propose import distributions
from twotower.search.trial import Distributions, TrialRecord

Say = Callable[[str], None]


@dataclass(frozen=True)
class StudyLocation:
    """Which study it is, and where it lives.

    Attributes:
        root: folder of all live studies, `.hpo`.
        snapshot: the declared copy, `hpo_study.db`.
        identity: what its trials are a function of.
        provenance: code, libraries and CPU of trials that this process makes.
    """

    root: Path
    snapshot: Path
    identity: Fingerprint
    provenance: Fingerprint

    @property
    def home(self) -> Path:
        """Folder of all studies of this identity."""
        return self.root / self.identity.digest[:16]

    @property
    def folder(self) -> Path:
        """Folder of the study of this identity and provenance."""
        return self.home / self.provenance.digest[:16]


class LiveStudy:
    """Finished trials of one identity and provenance.

    Attributes:
        records: finished trials by number.
    """

    def __init__(self, folder: Path, database: TrialDatabase, distributions: Distributions) -> None:
        self._folder = folder
        self._database = database
        self._distributions = distributions
        self.records = {record.number: record for record in database.records()}
        self._committed = len(self.records)
        for path in sorted(folder.glob("*.json")):
            record = TrialRecord.from_json(json.loads(path.read_text(encoding="utf-8")))
            self.records.setdefault(record.number, record)
        self._commit()

    def add(self, record: TrialRecord) -> None:
        """Keep a finished trial: on disk when this returns."""
        write_json(self._path(record.number), record.to_json())
        self.records[record.number] = record
        self._commit()

    def _commit(self) -> None:
        """Move trials into the database as far as their numbers are without a gap."""
        while (record := self.records.get(self._committed)) is not None:
            self._database.append(record, self._distributions)
            self._path(record.number).unlink(missing_ok=True)
            self._committed += 1

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:04d}.json"


@contextmanager
def open_study(location: StudyLocation, config: HpoConfig, say: Say) -> Iterator[LiveStudy]:
    """The live study, locked, with all that the snapshot has and it lacks.

    Args:
        location: which study, and where.
        config: space, `on_drift`, `storage` and `study_name` count.
        say: told what the user should know.

    Raises:
        SearchError: if the storage cannot be used, or stored trials were made by other code,
            libraries or CPU capability and `on_drift` is `error`.
    """
    with _lock(location.home, say):
        trials = location.folder / "trials"
        trials.mkdir(parents=True, exist_ok=True)
        write_json(location.home / "identity.json", location.identity.values)
        write_json(location.folder / "provenance.json", location.provenance.values)
        with _open_database(location.folder, location.provenance, config) as database:
            study = LiveStudy(trials, database, distributions(config.search_space))
            for record in _stored_elsewhere(location, config, study, say):
                if record.number not in study.records:
                    study.add(record)
            yield study


def _stored_elsewhere(
    location: StudyLocation, config: HpoConfig, study: LiveStudy, say: Say
) -> list[TrialRecord]:
    """Trials of this identity that the live study may take over from the snapshot or a sibling."""
    attributes, records = read_snapshot(location.snapshot)
    if records and attributes.get("identity") != location.identity.digest:
        say(f"{location.snapshot.name} holds another study (data, space or settings): ignored")
        records = []
    ours = location.provenance.digest
    if records and all(record.provenance == ours for record in records):
        return records
    if study.records:
        return []
    drifted = records or _largest_sibling(location, config)
    if not drifted:
        return []
    what = f"{len(drifted)} stored trials were made by other code, libraries or CPU capability"
    if config.on_drift == "error":
        msg = f"{what}; hpo.on_drift: new starts a new study, resume continues the old one"
        raise SearchError(msg)
    if config.on_drift == "resume":
        say(f"{what}: continuing with them, and marking the results as mixed")
        return drifted
    say(f"{what}: starting a new study (the old one is kept; hpo.on_drift: resume continues it)")
    return []


def _largest_sibling(location: StudyLocation, config: HpoConfig) -> list[TrialRecord]:
    """Trials of the fullest study of the same identity that other code has made here."""
    found: list[list[TrialRecord]] = [[]]
    for path in sorted(location.home.glob("*/provenance.json")):
        if path.parent != location.folder:
            provenance = Fingerprint(json.loads(path.read_text(encoding="utf-8")))
            with _open_database(path.parent, provenance, config) as database:
                found.append(database.records())
    return max(found, key=len)


def _open_database(
    folder: Path, provenance: Fingerprint, config: HpoConfig
) -> AbstractContextManager[TrialDatabase]:
    url = config.storage or f"sqlite:///{(folder / 'study.db').resolve().as_posix()}"
    name = f"{config.study_name}-{folder.parent.name[:12]}-{provenance.digest[:12]}"
    return open_database(url, name)


@contextmanager
def _lock(home: Path, say: Say) -> Iterator[None]:
    """Hold the study alone; wait for another search that holds it. Ends with the process."""
    home.mkdir(parents=True, exist_ok=True)
    lock = FileLock(home / "lock")
    holder = home / "holder"
    try:
        lock.acquire(timeout=0)
    except Timeout:
        with contextlib.suppress(FileNotFoundError):
            say(f"waiting for process {holder.read_text(encoding='utf-8')}, which runs this study")
        lock.acquire()
    try:
        holder.write_text(f"{os.getpid()} on {platform.node()}", encoding="utf-8")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()
