"""The identity of a study, and where its parts are stored.

.hpo/<identity>/lock                        held while a search runs
.hpo/<identity>/<provenance>/study.db       trials as Optuna stores them, in number order,
                                            unless hpo.storage names another database
.hpo/<identity>/<provenance>/trials/0007.json
    written first, complete or not at all; a trial counts as soon as this exists
.hpo/<identity>/<provenance>/rungs/, confirm/   runs of the best trials again
.hpo/<identity>/<provenance>/workers/       data that local workers share while they run
"""

from dataclasses import dataclass
from pathlib import Path

from twotower.config.hpo import HpoConfig
from twotower.search.identity import Fingerprint
from twotower.search.store.storage_url import Storage, parse_storage, sqlite_storage


@dataclass(frozen=True)
class StudyLocation:
    """Identifies a study, and says where it is stored.

    Attributes:
        root: folder of all live studies, `.hpo`.
        snapshot: the declared copy, `hpo_study.db`.
        identity: everything that its trials are a function of.
        provenance: code, libraries and CPU of trials that run here.
        mixed: whether trials of another provenance may be among them; such a study is stored
            separately, so that only `hpo.on_drift: resume` sees it.
    """

    root: Path
    snapshot: Path
    identity: Fingerprint
    provenance: Fingerprint
    mixed: bool = False

    @property
    def version(self) -> str:
        """Tells the studies of one identity apart."""
        return self.provenance.digest[:12] + "-mixed" * self.mixed

    @property
    def home(self) -> Path:
        """Folder of all studies of this identity."""
        return self.root / self.identity.digest[:16]

    @property
    def folder(self) -> Path:
        """Folder of the study of this identity and provenance."""
        return self.home / self.version

    @property
    def trials(self) -> Path:
        """Folder of finished trials that are not in the database yet."""
        return self.folder / "trials"

    @property
    def workers(self) -> Path:
        """Folder of the data that local workers share."""
        return self.folder / "workers"

    @property
    def own_storage(self) -> Storage:
        """The database that is used unless `hpo.storage` names another."""
        return sqlite_storage(self.folder / "study.db")

    def storage(self, config: HpoConfig) -> Storage:
        """The database of the live study; relative SQLite files count from the repository.

        The declared copy, which is replaced as a whole, stands for the default storage.

        Raises:
            SearchError: if `hpo.storage` cannot be used.
        """
        if config.storage is None:
            return self.own_storage
        repository = self.root.parent.resolve()
        storage = parse_storage(config.storage, repository)
        copies = (self.snapshot.resolve(), repository / self.snapshot.name)
        if not storage.is_server and storage.file.resolve() in copies:
            return self.own_storage
        return storage

    @property
    def mark(self) -> str:
        """The part of its name that all studies of this identity have."""
        return f"-{self.identity.digest[:12]}-"

    def study_name(self, config: HpoConfig) -> str:
        """Name of the live study, unique in its database."""
        return f"{config.study_name}{self.mark}{self.version}"
