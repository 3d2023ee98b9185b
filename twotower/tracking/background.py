"""MLflow from a stage: it works in a thread of its own, and what fails there costs a warning."""

import json
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock

from twotower.common.paths import repository_root
from twotower.config.reporting import MlflowConfig
from twotower.search.trial import Trial
from twotower.tracking.describe_search import describe_search
from twotower.tracking.ending import Ending
from twotower.tracking.held_out_scores import read_held_out_scores
from twotower.tracking.mlflow_runs import StudyRun
from twotower.tracking.mlflow_store import explain, import_store
from twotower.tracking.tracked_study import LOCK, read_note, tracked_folders, write_note

if TYPE_CHECKING:
    from twotower.config import Config
    from twotower.search.store.location import StudyLocation

RETRY_SECONDS = 10.0
"""Time between attempts to reach a server after a failure."""
END_SECONDS = 60.0
"""The longest that the end of a stage waits: a new database, trials to log, uploads."""
INTERRUPTED_SECONDS = 10.0
"""The same after Ctrl-C."""
SYNC = "twotower tracking sync"


def publish_in_background(
    config: "Config", root: Path, location: "StudyLocation", row_counts: Mapping[str, int]
) -> "BackgroundPublisher | None":
    """Publish a search that starts, resumes or grows; None if tracking is off or impossible.

    Args:
        config: sections `mlflow` and `hpo`.
        root: of the repository.
        location: the study, beside which a note says that it is tracked.
        row_counts: rows of the data, as the objective counts them.
    """
    if not config.mlflow.enabled:
        return None
    study = describe_search(config, location, row_counts)

    def connect() -> StudyRun:
        run = StudyRun(study, root)
        run.show_running()
        return run

    try:
        write_note(location.folder, study)
    except OSError as error:  # the search can be logged all the same
        _warn_of(error)
    try:
        import_store(config.mlflow, root)  # here: two threads should not import at the same time
    except Exception as error:
        _warn_of(error)
        return None
    return BackgroundPublisher(connect, location.folder / LOCK)


class BackgroundPublisher:
    """Publishes a running search in a thread, whenever there are new trials and at the end.

    The search waits for it only at its end, for at most END_SECONDS. After a failure the thread
    connects again every RETRY_SECONDS, because only the server knows which part of the last request
    it carried out. A server that is down or slow therefore costs one warning, and one more at the
    end if it still lacks something.
    """

    def __init__(self, connect: Callable[[], StudyRun], lock: Path) -> None:
        """Start the thread.

        Args:
            connect: opens the study's run.
            lock: file that is locked while the thread works, so that no other process of this
                machine publishes the study.
        """
        self._connect = connect
        self._lock = FileLock(lock, timeout=0, thread_local=False)
        self._trials: list[Trial] = []
        self._logged: set[int] = set()
        self._ending: Ending | None = None
        self._is_done = False
        self._address: str | None = None
        self._has_warned = False
        self._has_news, self._is_over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="mlflow", daemon=True)
        self._thread.start()

    @property
    def address(self) -> str | None:
        """Where MLflow shows the study; None if its ending is not published."""
        return self._address if self._is_done else None

    def add(self, trials: Sequence[Trial]) -> None:
        """Publish finished trials, soon."""
        self._trials += trials
        self._has_news.set()

    def end(self, ending: Ending) -> None:
        """Publish the rest and the ending; wait for it, and say what is missing if it fails."""
        self._ending = ending
        self._is_over.set()
        self._has_news.set()
        self._thread.join(INTERRUPTED_SECONDS if ending.status == "KILLED" else END_SECONDS)
        if self._is_done:
            return
        self._has_warned = True  # the line below says it all
        count = sum(trial.number not in self._logged for trial in self._trials)
        what = f"{count} trial{'' if count == 1 else 's'}" if count else "the end of the search"
        _warn(f"MLflow is missing {what}; once the server is back, run: {SYNC}")

    def _work(self) -> None:
        """Publish until the ending is published or has failed twice."""
        run: StudyRun | None = None
        failures = 0
        try:
            while not self._is_done and failures < 2:
                self._has_news.clear()
                ending, trials = self._ending, self._trials[:]  # in this order: it comes last
                try:
                    run = run or self._open()
                    run.publish(trials, ending)
                except Exception as error:  # whatever it is, the search goes on
                    run = None
                    failures += ending is not None
                    self._warn_once(error)
                    self._is_over.wait(RETRY_SECONDS)
                else:
                    if ending is not None:
                        self._address = run.address
                        self._is_done = True
                    if not self._is_done:
                        self._has_news.wait()
        finally:
            self._lock.release()

    def _open(self) -> StudyRun:
        if not self._lock.is_locked:
            self._lock.acquire()
        run = self._connect()
        self._logged = run.logged
        return run

    def _warn_once(self, error: Exception) -> None:
        if not self._has_warned:
            self._has_warned = True
            _warn_of(error)


def upload_plots(config: MlflowConfig, results: Path, folder: Path) -> None:
    """Upload plots to the run of the search that they show, if tracking is enabled.

    A failure costs one warning.

    Args:
        config: section `mlflow`.
        results: file of the search that the plots were made from.
        folder: of the plots.
    """
    _add_to_run(config, results, "the plots", lambda run: run.upload([folder]))


def log_scores(config: MlflowConfig, results: Path, folder: Path) -> None:
    """Log the scores on the test split to the run of the search, if tracking is enabled.

    A failure costs one warning.

    Args:
        config: section `mlflow`.
        results: file of the search that chose the model.
        folder: that refit has written the scores to.
    """

    def log(run: StudyRun) -> None:
        if (scores := read_held_out_scores(folder)) is not None:
            run.add_scores(scores)

    _add_to_run(config, results, "the test scores", log)


def _add_to_run(
    config: MlflowConfig, results: Path, what: str, add: Callable[[StudyRun], None]
) -> None:
    """Add something to the run of the search with these results, within END_SECONDS."""
    if not config.enabled:
        return

    def work() -> None:
        try:
            _add(config, results, add)
        except Exception as error:  # whatever it is, the files are on disk
            _warn_of_lack(what, explain(error))

    # HTTP requests have time limits of their own, but mlflow tries to open a database for minutes.
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(END_SECONDS)
    if thread.is_alive():
        _warn_of_lack(what, f"no response within {END_SECONDS:g} s")


def _add(config: MlflowConfig, results: Path, add: Callable[[StudyRun], None]) -> None:
    content, root = json.loads(results.read_text(encoding="utf-8")), repository_root()
    for study in map(read_note, tracked_folders(root)):
        if study.has_results(content):
            store = study.store_with_credentials(config)
            add(StudyRun(replace(study, store=store), root))
            return


def _warn_of_lack(what: str, reason: str) -> None:
    _warn(f"MLflow is missing {what}: {reason}; to log them, run: {SYNC}")


def _warn_of(error: Exception) -> None:
    """Say that a search cannot be tracked, and why."""
    _warn(f"cannot log to MLflow; the search continues and keeps every trial: {explain(error)}")


def _warn(line: str) -> None:
    print(f"warning: {line}", file=sys.stderr)  # noqa: T201 - for whoever runs the stage
