"""A model that follows its folder: a new model put there takes over without a restart."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from twotower.artifacts import META, version_of
from twotower.common.errors import ArtifactError, TwoTowerError
from twotower.serving.recommender import Recommender

LOG = logging.getLogger("uvicorn.error")
"""The log that uvicorn shows."""
VERSION_DIGITS = 12
ATTEMPTS = 3
Refreshed = Literal["loaded", "failed"]
"""What became of an attempt to load another model."""


@dataclass(frozen=True)
class Served:
    """A loaded model and its version.

    Attributes:
        recommender: the model.
        version: hexadecimal digest of the folder's content; the same on every machine.
        written: when its model_meta.json was, in seconds since 1970.
        loaded: when the model was, likewise.
    """

    recommender: Recommender
    version: str
    written: float
    loaded: float


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
            version, written = self._version()
            recommender = Recommender.load(self._folder, **self._options)
            if self._options["verify"]:
                recommender.artifacts.check_rest()
            recommender.warm_up()
            if self._version() == (version, written):
                return Served(recommender, version, written, time.time())
        msg = f"{self._folder}: the model keeps changing while it is read"
        raise ArtifactError(msg)

    def _version(self) -> tuple[str, float]:
        """Of the folder, and when it was written."""
        try:
            return version_of(self._folder)[:VERSION_DIGITS], (self._folder / META).stat().st_mtime
        except (OSError, ValueError) as error:
            msg = f"{self._folder}: not a complete model folder ({error})"
            raise ArtifactError(msg) from None


class FolderWatcher:
    """A thread that refreshes a live model at intervals until it is stopped."""

    def __init__(self, model: LiveModel, seconds: float, told: Callable[[Refreshed], None]) -> None:
        """Prepare the thread.

        Args:
            model: that is refreshed.
            seconds: between two looks at its folder.
            told: is told of each attempt to load another model.
        """
        self._model, self._seconds, self._told = model, seconds, told
        self._problem: str | None = None
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
                self._look()
            except Exception:  # a bug must not end the thread: the old model still answers
                LOG.exception("cannot check the model folder for a new model")

    def _look(self) -> None:
        took_over, problem = self._model.refresh(), self._model.problem
        if took_over:
            self._told("loaded")
            LOG.info("now serving model %s", self._model.served.version)
        elif problem is not None:
            self._told("failed")
            if problem != self._problem:
                LOG.warning("still serving model %s: %s", self._model.served.version, problem)
        self._problem = problem
