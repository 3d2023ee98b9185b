"""A model that follows its folder: a new model put there takes over without a restart."""

import logging
import threading
from dataclasses import dataclass
from pathlib import Path

from twotower.artifacts import META, version_of
from twotower.common.errors import ArtifactError, TwoTowerError
from twotower.serving.recommender import Recommender

LOG = logging.getLogger("uvicorn.error")
"""The log that uvicorn shows."""
VERSION_DIGITS = 12
ATTEMPTS = 3


@dataclass(frozen=True)
class Served:
    """A loaded model and its version.

    Attributes:
        recommender: the model.
        version: hexadecimal digest of the folder's content; the same on every machine.
    """

    recommender: Recommender
    version: str


class LiveModel:
    """The model of a folder, reloaded when the folder's content changes.

    A new model takes over only when its files match the digests in its model_meta.json and it is
    ready to answer; a folder that is half written, damaged or gone changes nothing.

    Attributes:
        problem: why the folder's current content is not served; None if it is.
    """

    def __init__(
        self, folder: Path, *, mmap: bool = False, approximate: bool = False, verify: bool = True
    ) -> None:
        """Load the model.

        Args:
            folder: of the model.
            mmap: memory-map its files instead of reading them; then they may be replaced, but
                never written to.
            approximate: use its index.
            verify: compare its files with their digests.

        Raises:
            ArtifactError: if the folder does not hold a complete model.
            ConfigError: if the index is to be used and usearch is not installed.
        """
        self._folder = folder
        self._options = {"mmap": mmap, "approximate": approximate, "verify": verify}
        self._refreshing = threading.Lock()
        self._stamp = self._file_stamp()
        self._served = self._load()
        self.problem: str | None = None

    @property
    def served(self) -> Served:
        """The current model. Read it once per request, so that one model answers all of it."""
        return self._served

    def refresh(self) -> bool:
        """Load the folder's model if it has changed; returns whether another model took over.

        Checks only whether model_meta.json was replaced, unless its content could not be served
        the last time.
        """
        with self._refreshing:
            stamp = self._file_stamp()
            if stamp == self._stamp and self.problem is None:
                return False
            before = self._served.version
            try:
                self._served = self._load()
                self._stamp, self.problem = stamp, None
            except TwoTowerError as error:
                self.problem = str(error)
            return self._served.version != before

    def _file_stamp(self) -> tuple[int, ...]:
        """Changes when model_meta.json, which is written last, is replaced."""
        try:
            status = (self._folder / META).stat()
        except OSError:
            return ()
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _load(self) -> Served:
        for _ in range(ATTEMPTS):
            version = self._version()
            recommender = Recommender.load(self._folder, **self._options)
            if self._options["verify"]:
                recommender.artifacts.check_rest()
            recommender.warm_up()
            if self._version() == version:
                return Served(recommender, version)
        msg = f"{self._folder}: the model keeps changing while it is read"
        raise ArtifactError(msg)

    def _version(self) -> str:
        try:
            return version_of(self._folder)[:VERSION_DIGITS]
        except (OSError, ValueError) as error:
            msg = f"{self._folder}: not a complete model folder ({error})"
            raise ArtifactError(msg) from None


class FolderWatcher:
    """A thread that refreshes a live model at intervals until it is stopped."""

    def __init__(self, model: LiveModel, seconds: float) -> None:
        self._model = model
        self._seconds = seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="model watcher", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread, and wait for it."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds):
            try:
                if self._model.refresh():
                    LOG.info("now serving model %s", self._model.served.version)
            except Exception:  # a bug must not end the thread: the old model still answers
                LOG.exception("cannot check the model folder for a new model")
