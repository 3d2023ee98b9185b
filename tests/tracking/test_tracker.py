"""The boundary: switched off, a dead server, a slow one, one that recovers."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from twotower.config.outputs import MlflowConfig
from twotower.tracking import FinishedTrial, SearchInfo, start_tracker
from twotower.tracking import tracker as tracker_module
from twotower.tracking.tracker import MAX_FAILURES, GuardedTracker, mask_credentials

SEARCH = SearchInfo(identity="0123abcd", study_name="two-tower")


def trial(number: int) -> FinishedTrial:
    return FinishedTrial(number, "COMPLETE", {"dim": 8}, 0.5, {}, (), 1_000, 2_000)


class FakeRun:
    """Logs into a list; fails as often as told to, before or after the trial is stored."""

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.logged: list[int] = []
        self.finished: list[Mapping[str, float]] = []

    def log_trial(self, trial: FinishedTrial) -> None:
        if self.failures:
            self.failures -= 1
            raise ConnectionError("no answer")
        self.logged.append(trial.number)

    def finish(self, artifacts: Sequence[Path], summary: Mapping[str, float]) -> None:
        del artifacts
        self.finished.append(summary)


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


def test_dead_server_costs_one_line_and_little_time(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    uri = f"http://user:secret@127.0.0.1:{closed_port()}"
    started = time.monotonic()
    tracker = start_tracker(MlflowConfig(enabled=True, tracking_uri=uri), tmp_path, SEARCH)
    for number in range(20):
        tracker.trial(trial(number))
    tracker.close([], {"best": 0.5})
    assert time.monotonic() - started < 30
    output = capfd.readouterr()
    assert output.out == ""
    assert len(output.err.splitlines()) == 1
    assert output.err.startswith("warning: MLflow cannot be written")
    assert "secret" not in output.err


def test_silent_server_costs_its_timeouts(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    silent_port: int,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    config = MlflowConfig(enabled=True, tracking_uri=f"http://127.0.0.1:{silent_port}")
    started = time.monotonic()
    tracker = start_tracker(config, tmp_path, SEARCH)
    for number in range(20):
        tracker.trial(trial(number))
    assert time.monotonic() - started < 30
    assert len(capfd.readouterr().err.splitlines()) == 1


def test_trials_of_a_short_failure_are_logged_later(capsys: pytest.CaptureFixture[str]) -> None:
    run = FakeRun(failures=MAX_FAILURES - 1)
    tracker = GuardedTracker(lambda: run)  # type: ignore[arg-type,return-value]
    for number in range(4):
        tracker.trial(trial(number))
    assert run.logged == [0, 1, 2, 3]
    assert capsys.readouterr().err.count("warning") == 1


def test_closing_logs_what_waits() -> None:
    run = FakeRun(failures=1)
    tracker = GuardedTracker(lambda: run)  # type: ignore[arg-type,return-value]
    tracker.trial(trial(0))
    tracker.close([], {"best": 0.5})
    assert run.logged == [0]
    assert run.finished == [{"best": 0.5}]


def test_after_repeated_failure_the_server_is_left_alone() -> None:
    attempts = []

    def connect() -> FakeRun:
        attempts.append(1)
        raise ConnectionError("no answer")

    tracker = GuardedTracker(connect)  # type: ignore[arg-type]
    for number in range(10):
        tracker.trial(trial(number))
    tracker.close([], {})
    assert len(attempts) == MAX_FAILURES


def test_a_server_that_hangs_is_left_alone_at_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    attempts = []
    forever = threading.Event()

    def connect() -> FakeRun:
        attempts.append(1)
        forever.wait()
        return FakeRun()

    monkeypatch.setattr(tracker_module, "TRIAL_SECONDS", 0.1)
    tracker = GuardedTracker(connect)  # type: ignore[arg-type]
    tracker.trial(trial(0))
    tracker.close([], {})
    forever.set()
    assert len(attempts) == 1
    assert "no answer within 0.1 s" in capsys.readouterr().err


def test_a_database_that_cannot_be_opened(tmp_path: Path) -> None:
    """MLflow alone would try for 100 seconds."""
    (tmp_path / "mlflow.db").mkdir()
    code = """
from pathlib import Path
from twotower.config.outputs import MlflowConfig
from twotower.tracking import FinishedTrial, SearchInfo, start_tracker, tracker
tracker.TRIAL_SECONDS = 5
tracked = start_tracker(MlflowConfig(enabled=True), Path("."), SearchInfo("0123", "study"))
tracked.trial(FinishedTrial(0, "COMPLETE", {}, 0.5, {}, [], 0, 1))
tracked.close([], {})
"""
    command = [sys.executable, "-c", code]
    ran = subprocess.run(
        command, check=True, cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert len(ran.stderr.splitlines()) == 1
    assert "no answer within 5 s" in ran.stderr


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
