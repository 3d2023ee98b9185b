"""A model that follows its folder: when another model is put there, requests go to that one."""

import logging
import threading
from dataclasses import dataclass
from pathlib import Path

from twotower.artifacts import META, verify_artifacts
from twotower.common.errors import ArtifactError, TwoTowerError
from twotower.common.files import sha256_file
from twotower.serving.recommender import Recommender

LOG = logging.getLogger("uvicorn.error")
"""Where uvicorn tells what it does."""
VERSION_DIGITS = 12
ATTEMPTS = 3


@dataclass(frozen=True)
class Served:
    """A model that answers requests.

    Attributes:
        recommender: answers them.
        version: hexadecimal; the same for the same content of the folder, on every machine.
    """

    recommender: Recommender
    version: str


class LiveModel:
    """The model of a folder, loaded anew when the folder's content has changed.

    Another model takes over only when all its files are those that its model_meta.json names and
    it is ready to answer; a folder that is half written, damaged or gone changes nothing.

    Attributes:
        problem: why the folder's present content is not served; None if it is.
    """

    def __init__(self, folder: Path, *, mmap: bool = False, approximate: bool = False) -> None:
        """Load the model.

        Args:
            folder: of the model.
            mmap: map its files instead of reading them; then they may only be replaced, never
                be written to.
            approximate: use its index.

        Raises:
            ArtifactError: if the folder holds no whole model.
            ConfigError: if the index is to be used and usearch is not installed.
        """
        self._folder = folder
        self._options = {"mmap": mmap, "approximate": approximate}
        self._refreshing = threading.Lock()
        self._stamp = self._look()
        self._served = self._load()
        self.problem: str | None = None

    @property
    def served(self) -> Served:
        """The model of now. A request takes it once, so that it is answered by one model."""
        return self._served

    def refresh(self) -> bool:
        """Look at the folder, and serve another model if there is one; whether that is so.

        The folder is only looked into if model_meta.json was replaced since the last time, or
        could not be served then.
        """
        with self._refreshing:
            stamp = self._look()
            if stamp == self._stamp and self.problem is None:
                return False
            before = self._served.version
            try:
                self._served = self._load()
                self._stamp, self.problem = stamp, None
            except TwoTowerError as error:
                self.problem = str(error)
            return self._served.version != before

    def _look(self) -> tuple[int, ...]:
        """What changes when model_meta.json, which is written last, is replaced."""
        try:
            status = (self._folder / META).stat()
        except OSError:
            return ()
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _load(self) -> Served:
        for _ in range(ATTEMPTS):
            version = self._version()
            verify_artifacts(self._folder)
            recommender = Recommender.load(self._folder, **self._options)
            recommender.warm_up()
            if self._version() == version:
                return Served(recommender, version)
        msg = f"{self._folder}: the model keeps changing while it is read"
        raise ArtifactError(msg)

    def _version(self) -> str:
        # model_meta.json holds the digests of all other files.
        try:
            return sha256_file(self._folder / META)[:VERSION_DIGITS]
        except OSError as error:
            msg = f"{self._folder}: not a complete model folder ({error})"
            raise ArtifactError(msg) from None


class FolderWatcher:
    """A thread that refreshes a live model from time to time, until it is stopped."""

    def __init__(self, model: LiveModel, seconds: float) -> None:
        self._model = model
        self._seconds = seconds
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="model watcher", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, and wait for that."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._seconds):
            try:
                if self._model.refresh():
                    LOG.info("now serving model %s", self._model.served.version)
            except Exception:  # a bug must not end the watch: the old model still answers
                LOG.exception("the folder of the model could not be looked into")
