"""The boundary: switched off, a dead server, a slow one, one that recovers."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from filelock import FileLock

from twotower.config.outputs import MlflowConfig
from twotower.tracking import FinishedTrial, SearchInfo, start_tracker
from twotower.tracking import tracker as tracker_module
from twotower.tracking.tracker import BackgroundTracker, mask_credentials

SEARCH = SearchInfo(key="0123abcd", study_name="two-tower")


def trial(number: int) -> FinishedTrial:
    return FinishedTrial(number, "COMPLETE", {"dim": 8}, 0.5, {}, (), 1_000, 2_000)


class FakeRun:
    """Logs into a list; fails as often as told to."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.logged: list[int] = []
        self.finished: list[Mapping[str, float]] = []

    def log_trial(self, trial: FinishedTrial) -> None:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("no answer")
        self.logged.append(trial.number)

    def finish(
        self, artifacts: Sequence[Path], summary: Mapping[str, float], finished_ms: int
    ) -> None:
        del artifacts, finished_ms
        self.finished.append(summary)


def tracker_of(connect: Callable[[], FakeRun], lock: Path | None = None) -> BackgroundTracker:
    return BackgroundTracker(connect, lock)  # type: ignore[arg-type]


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Port of a server that takes connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def closed_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def test_disabled_tracker_does_not_import_mlflow(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from twotower.config.outputs import MlflowConfig
from twotower.tracking import FinishedTrial, SearchInfo, start_tracker
tracker = start_tracker(MlflowConfig(), Path("."), SearchInfo("0123", "study"))
tracker.trial(FinishedTrial(0, "COMPLETE", {}, 0.5, {}, [], 0, 1))
tracker.close([], {})
assert "mlflow" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_dead_server_costs_two_lines_and_no_time(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    uri = f"http://user:secret@127.0.0.1:{closed_port()}"
    tracker = start_tracker(MlflowConfig(enabled=True, tracking_uri=uri), tmp_path, SEARCH)
    for number in range(20):
        tracker.trial(trial(number))
    tracker.close([], {"best": 0.5})
    output = capfd.readouterr()
    assert output.out == ""
    first, second = output.err.splitlines()
    assert first.startswith("warning: MLflow cannot be written")
    assert second.startswith("warning: MLflow lacks 20 trials; once the server answers, python -m")
    assert "secret" not in output.err


def test_a_silent_server_keeps_no_trial_waiting(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    silent_port: int,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setattr(tracker_module, "CLOSE_SECONDS", 0.2)
    config = MlflowConfig(enabled=True, tracking_uri=f"http://127.0.0.1:{silent_port}")
    tracker = start_tracker(config, tmp_path, SEARCH)
    for number in range(20):
        tracker.trial(trial(number))
    tracker.close([], {"best": 0.5})
    assert "MLflow lacks 20 trials" in capfd.readouterr().err


def test_the_search_does_not_wait_for_a_slow_server(capsys: pytest.CaptureFixture[str]) -> None:
    answer = threading.Event()
    run = FakeRun()

    def connect() -> FakeRun:
        answer.wait()
        return run

    tracker = tracker_of(connect)
    for number in range(3):
        tracker.trial(trial(number))
    assert run.logged == []
    answer.set()
    tracker.close([], {"best": 0.5})
    assert run.logged == [0, 1, 2]
    assert run.finished == [{"best": 0.5}]
    assert capsys.readouterr().err == ""


def test_trials_of_a_short_failure_are_logged_later(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tracker_module, "RETRY_SECONDS", 0.01)
    run = FakeRun(failures=3)
    tracker = tracker_of(lambda: run)
    for number in range(4):
        tracker.trial(trial(number))
    while len(run.logged) < 4:
        time.sleep(0.01)
    tracker.close([], {})
    assert run.logged == [0, 1, 2, 3]
    assert capsys.readouterr().err.count("warning") == 1


def test_closing_tries_once_more() -> None:
    run = FakeRun(failures=1)
    tracker = tracker_of(lambda: run)
    tracker.trial(trial(0))
    tracker.close([], {"best": 0.5})
    assert run.logged == [0]
    assert run.finished == [{"best": 0.5}]


def test_a_server_that_hangs_is_left_alone_in_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    forever = threading.Event()

    def connect() -> FakeRun:
        forever.wait()
        return FakeRun()

    monkeypatch.setattr(tracker_module, "CLOSE_SECONDS", 0.1)
    tracker = tracker_of(connect)
    tracker.trial(trial(0))
    tracker.close([], {})
    assert "MLflow lacks 1 trial;" in capsys.readouterr().err
    forever.set()


def test_a_study_that_somebody_else_logs_is_left_to_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = FakeRun()
    with FileLock(tmp_path / "lock"):
        tracker = tracker_of(lambda: run, tmp_path / "lock")
        tracker.trial(trial(0))
        tracker.close([], {})
    assert run.logged == []
    assert "MLflow lacks 1 trial;" in capsys.readouterr().err


def test_a_database_that_cannot_be_opened(tmp_path: Path) -> None:
    """MLflow alone would try for 100 seconds."""
    (tmp_path / "mlflow.db").mkdir()
    code = """
from pathlib import Path
from twotower.config.outputs import MlflowConfig
from twotower.tracking import FinishedTrial, SearchInfo, start_tracker, tracker
tracker.CLOSE_SECONDS = 1
tracked = start_tracker(MlflowConfig(enabled=True), Path("."), SearchInfo("0123", "study"))
tracked.trial(FinishedTrial(0, "COMPLETE", {}, 0.5, {}, [], 0, 1))
tracked.close([], {})
"""
    command = [sys.executable, "-c", code]
    ran = subprocess.run(
        command, check=True, cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    (line,) = ran.stderr.splitlines()
    assert "MLflow lacks 1 trial;" in line


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("http://host:5000/api", "http://host:5000/api"),
        ("at http://user:pa/ss@host:5000 now", "at http://***@host:5000 now"),
        ("postgresql+psycopg2://u:p@h/db?password=x&y=z", "postgresql+psycopg2://***@h/db?***"),
        ("sqlite:////tmp/mlflow.db", "sqlite:////tmp/mlflow.db"),
        ("is it? no", "is it? no"),
    ],
)
def test_credentials_are_masked(text: str, masked: str) -> None:
    assert mask_credentials(text) == masked
