"""The boundary between a search and its tracking server: what fails there ends here."""

import re
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from twotower.config.outputs import MlflowConfig
from twotower.tracking.records import FinishedTrial, SearchInfo, Tracker
from twotower.tracking.store import configure_environment, import_store

if TYPE_CHECKING:
    from twotower.tracking.mlflow_run import SearchRun

RETRY_SECONDS = 10.0
"""Time between attempts to reach a server that has failed."""
CLOSE_SECONDS = 60.0
"""What the end of a search waits for, at most: a new database, trials that wait, uploads."""
INTERRUPTED_SECONDS = 10.0
"""The same after Ctrl-C."""
MAX_REASON = 200
"""Characters of a failure's reason that are shown."""
SYNC = "twotower tracking sync"

End = Callable[["SearchRun"], None]


def start_tracker(
    config: MlflowConfig, root: Path, search: SearchInfo, lock: Path | None = None
) -> Tracker:
    """Tracker of a search that starts, resumes or grows.

    Args:
        config: where to track, and whether to.
        root: folder of the default store and of a relative SQLite path.
        search: the study; its run is found again by its key.
        lock: file that is locked meanwhile, so that nobody else of this machine logs the study.
    """
    if not config.enabled:
        return NoTracker()
    configure_environment()

    def connect() -> "SearchRun":
        from twotower.tracking.mlflow_run import SearchRun

        run = SearchRun(config, root, search)
        run.begin()
        return run

    try:
        import_store(config, root)  # here, as two threads had better not import at the same time
    except Exception as error:
        warn(error)
        return NoTracker()
    return BackgroundTracker(connect, lock)


class NoTracker:
    """Shows nothing."""

    def trial(self, trial: FinishedTrial) -> None:
        """Do nothing."""

    def close(self, artifacts: Sequence[Path], summary: Mapping[str, float]) -> None:
        """Do nothing."""

    def abort(self, reason: str, *, interrupted: bool = False) -> None:
        """Do nothing."""


class BackgroundTracker:
    """Passes trials on to MLflow in a thread of its own, in the order in which they came.

    The search never waits for the server, but at its end for at most CLOSE_SECONDS. What fails is
    tried again every RETRY_SECONDS, over a new connection, because only the server knows how much
    of the last request it has carried out. A server that is down or slow therefore costs one
    warning, and one more at the end if it lacks trials then.
    """

    def __init__(self, connect: Callable[[], "SearchRun"], lock: Path | None = None) -> None:
        self._connect = connect
        self._lock = FileLock(lock, timeout=0, thread_local=False) if lock else None
        self._run: SearchRun | None = None
        self._waiting: list[FinishedTrial] = []
        self._last_ms = 0
        self._end: End | None = None
        self._ended = False
        self._given_up = False
        self._warned = False
        self._news = threading.Condition()
        self._thread = threading.Thread(target=self._work, name="mlflow", daemon=True)
        self._thread.start()

    def trial(self, trial: FinishedTrial) -> None:
        """Hand the trial over; it is logged after those that wait."""
        with self._news:
            self._waiting.append(trial)
            self._last_ms = max(self._last_ms, trial.finished_ms)
            self._news.notify_all()

    def close(self, artifacts: Sequence[Path], summary: Mapping[str, float]) -> None:
        """Log what waits, then finish the search's run."""
        self._stop(lambda run: run.finish(artifacts, summary, self._last_ms), CLOSE_SECONDS)

    def abort(self, reason: str, *, interrupted: bool = False) -> None:
        """Log what waits, then end the search's run as failed or killed."""
        status = "KILLED" if interrupted else "FAILED"
        seconds = INTERRUPTED_SECONDS if interrupted else CLOSE_SECONDS
        self._stop(lambda run: run.stop(status, reason), seconds)

    def _stop(self, end: End, seconds: float) -> None:
        with self._news:
            self._end = end
            self._news.notify_all()
        self._thread.join(seconds)
        if self._ended:
            return
        self._given_up = True
        missing = len(self._waiting)
        what = f"{missing} trial{'' if missing == 1 else 's'}" if missing else "the search's end"
        _say(f"warning: MLflow lacks {what}; once the server answers, {SYNC} catches up")

    def _work(self) -> None:
        """Runs in the thread, until the search's end is logged or has failed twice."""
        failures = 0
        try:
            while not (self._ended or self._given_up) and failures < 2:
                with self._news:
                    last = self._end is not None
                if not self._attempt() and last:
                    failures += 1
        finally:
            if self._lock is not None:
                self._lock.release()

    def _attempt(self) -> bool:
        """Log what there is, then wait for more; whether that was without failure."""
        try:
            self._flush()
        except Exception as error:  # whatever it is, the search goes on
            self._run = None
            if not (self._warned or self._given_up):
                self._warned = True
                warn(error)
            with self._news:
                self._news.wait_for(lambda: self._end is not None, RETRY_SECONDS)
            return False
        with self._news:
            self._news.wait_for(lambda: self._waiting or self._end is not None)
        return True

    def _flush(self) -> None:
        if self._lock is not None and not self._lock.is_locked:
            self._lock.acquire()
        self._run = self._run or self._connect()
        end = self._end  # no trial comes after it: those below are all
        while self._waiting:
            self._run.log_trial(self._waiting[0])
            del self._waiting[0]  # the search only appends
        if end is not None:
            end(self._run)
            self._ended = True


def warn(error: Exception) -> None:
    """Say once that a search is not tracked, and why."""
    message = "warning: MLflow cannot be written, the search goes on and keeps every trial"
    _say(f"{message}: {explain(error)}")


def explain(error: Exception) -> str:
    """The reason in one line of at most MAX_REASON characters, without credentials."""
    reason = mask_credentials(" ".join(f"{type(error).__name__}: {error}".split()))
    return reason if len(reason) <= MAX_REASON else reason[:MAX_REASON] + "…"


def _say(line: str) -> None:
    print(line, file=sys.stderr)  # noqa: T201 - for whoever runs the search


class UnresponsiveError(Exception):
    """A request went on for longer than it may."""


def call_within(seconds: float, action: Callable[[], None]) -> None:
    """Call `action` in a thread that cannot keep the process alive.

    HTTP requests have time limits of their own, but mlflow tries to open a database for minutes.

    Raises:
        UnresponsiveError: after `seconds`; the thread goes on.
        Exception: what `action` raises.
    """
    errors: list[Exception] = []

    def work() -> None:
        try:
            action()
        except Exception as error:
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        msg = f"no answer within {seconds:g} s"
        raise UnresponsiveError(msg)
    if errors:
        raise errors[0]


def mask_credentials(text: str) -> str:
    """The text without user names, passwords and query strings in its URIs."""
    without_user = re.sub(r"(?<=://)\S+@", "***@", text)
    return re.sub(r"(://[^\s?]+)\?\S+", r"\1?***", without_user)
