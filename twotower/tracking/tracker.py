"""The boundary between a search and its tracking server: what fails there ends here."""

import re
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from twotower.config.outputs import MlflowConfig
from twotower.tracking.records import FinishedTrial, SearchInfo, Tracker

if TYPE_CHECKING:
    from twotower.tracking.mlflow_run import SearchRun

MAX_FAILURES = 3
"""Failures in a row after which the server is left alone."""
TRIAL_SECONDS = 60.0
"""Time for logging a trial, and for connecting, which may have to create a database."""
CLOSE_SECONDS = 120.0
"""Time for ending the search's run, uploads included."""
MAX_REASON = 200
"""Characters of a failure's reason that are shown."""


def start_tracker(config: MlflowConfig, root: Path, search: SearchInfo) -> Tracker:
    """Tracker of a search that starts, resumes or grows.

    Args:
        config: where to track, and whether to.
        root: folder of the default store and of a relative SQLite path: $DVC_ROOT or the
            repository's root.
        search: the study; its run is found again by its identity.
    """
    if not config.enabled:
        return NoTracker()
    return GuardedTracker(lambda: _connect(config, root, search))


def _connect(config: MlflowConfig, root: Path, search: SearchInfo) -> "SearchRun":
    from twotower.tracking.mlflow_run import SearchRun

    return SearchRun(config, root, search)


class NoTracker:
    """Shows nothing."""

    def trial(self, trial: FinishedTrial) -> None:
        """Do nothing."""

    def close(self, artifacts: Sequence[Path], summary: Mapping[str, float]) -> None:
        """Do nothing."""


class UnresponsiveError(Exception):
    """A request went on for longer than it may."""


class GuardedTracker:
    """Passes trials on to MLflow; a server that is down or slow costs one warning.

    HTTP requests have time limits of their own, but mlflow tries to open a database for minutes.
    So each attempt has a deadline, and a server that misses it is left alone at once: the request
    cannot be withdrawn. After other failures, trials that could not be logged wait for the next
    attempt, and the connection is made anew, because only the server knows how much of the last
    request it has carried out.
    """

    def __init__(self, connect: Callable[[], "SearchRun"]) -> None:
        self._connect = connect
        self._run: SearchRun | None = None
        self._waiting: list[FinishedTrial] = []
        self._failures = 0
        self._warned = False
        self._attempt(lambda _: None, TRIAL_SECONDS)

    def trial(self, trial: FinishedTrial) -> None:
        """Log the trial, after those that wait."""
        self._waiting.append(trial)
        self._attempt(self._flush, TRIAL_SECONDS)

    def close(self, artifacts: Sequence[Path], summary: Mapping[str, float]) -> None:
        """Log what waits, then finish the search's run."""

        def finish(run: "SearchRun") -> None:
            self._flush(run)
            run.finish(artifacts, summary)

        self._attempt(finish, CLOSE_SECONDS)

    def _flush(self, run: "SearchRun") -> None:
        while self._waiting:
            run.log_trial(self._waiting[0])
            del self._waiting[0]

    def _attempt(self, action: Callable[["SearchRun"], None], seconds: float) -> None:
        if self._failures >= MAX_FAILURES:
            return
        try:
            call_within(seconds, lambda: self._connected(action))
        except Exception as error:  # whatever it is, the search goes on
            self._run = None
            self._failures = (
                MAX_FAILURES if isinstance(error, UnresponsiveError) else self._failures + 1
            )
            self._warn(error)
        else:
            self._failures = 0

    def _connected(self, action: Callable[["SearchRun"], None]) -> None:
        self._run = self._run or self._connect()
        action(self._run)

    def _warn(self, error: Exception) -> None:
        if self._warned:
            return
        self._warned = True
        reason = mask_credentials(" ".join(f"{type(error).__name__}: {error}".split()))
        if len(reason) > MAX_REASON:
            reason = reason[:MAX_REASON] + "…"
        message = "warning: MLflow cannot be written, the search goes on and keeps every trial"
        print(f"{message}: {reason}", file=sys.stderr)  # noqa: T201 - for whoever runs the search


def call_within(seconds: float, action: Callable[[], None]) -> None:
    """Call `action` in a thread that cannot keep the process alive.

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
