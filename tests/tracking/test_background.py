"""The boundary: switched off, a dead server, a slow one, one that recovers; plots."""

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from unittest import mock

import pytest
from filelock import FileLock
from mlflow import MlflowClient

from tests.tracking.conftest import Repository, complete, only_study, tracking_config
from twotower.search.trial import Trial
from twotower.tracking import background
from twotower.tracking.background import BackgroundPublisher, log_scores, upload_plots
from twotower.tracking.ending import Ending
from twotower.tracking.mlflow_store import store_uri

TRIALS = [complete(number) for number in range(20)]
FINISHED = Ending("FINISHED", {"best": 0.5})
SEARCH = """
import sys
from pathlib import Path
from types import SimpleNamespace
from twotower.config import parse_config
from twotower.search.trial import Trial
from twotower.tracking import background
from twotower.tracking.ending import Ending

enabled = bool(int(sys.argv[1]))
config = parse_config({"mlflow": {"enabled": enabled}})
data = {"train.parquet": "ab", "validation.parquet": "cd"}
location = SimpleNamespace(  # a real one imports torch, which takes seconds
    identity=SimpleNamespace(values={"data": data, "objective": "mrr"}, digest="0123"),
    provenance=SimpleNamespace(values={"code": "c"}, digest="4567"),
    version="4567",
    folder=Path(".hpo"),
    study_name=lambda hpo: "live",
)
counts = {"num_train_rows": 7, "num_validation_rows": 1}
for seconds, root in zip(sys.argv[2::2], sys.argv[3::2], strict=True):
    background.END_SECONDS = float(seconds)
    publisher = background.publish_in_background(config, Path(root), location, counts)
    if publisher is not None:
        publisher.add([Trial(0, "COMPLETE", {"dim": 8}, "p", 0.5)])
        publisher.end(Ending("FINISHED"))
assert ("mlflow" in sys.modules) == enabled
"""


def run_searches(folder: Path, *, enabled: bool, **seconds: float) -> tuple[str, str]:
    """Output and errors of a process in which searches end after their only trial.

    Args:
        folder: the process's own.
        enabled: whether they are logged.
        seconds: by folder in it: what its search gives MLflow in the end.
    """
    roots = [text for name, limit in seconds.items() for text in (str(limit), str(folder / name))]
    command = [sys.executable, "-c", SEARCH, str(int(enabled)), *roots]
    ran = subprocess.run(
        command, check=True, cwd=folder, capture_output=True, text=True, timeout=90
    )
    return ran.stdout, ran.stderr


class FakeRun:
    """Remembers what is published; fails as often as told to."""

    address = "http://mlflow:5000/#/runs/1"

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.logged: set[int] = set()
        self.order: list[int] = []
        self.endings: list[Ending] = []

    def publish(self, trials: Sequence[Trial], ending: Ending | None = None) -> None:
        for trial in trials:
            if trial.number in self.logged:
                continue
            if self.failures:
                self.failures -= 1
                raise ConnectionError("no answer")
            self.logged.add(trial.number)
            self.order.append(trial.number)
        if ending is not None:
            self.endings.append(ending)


def publisher_of(connect: Callable[[], FakeRun], lock: Path) -> BackgroundPublisher:
    return BackgroundPublisher(connect, lock)  # type: ignore[arg-type]


@pytest.fixture
def lock(tmp_path: Path) -> Path:
    return tmp_path / "lock"


@pytest.fixture
def silent_port() -> Iterator[int]:
    """Port of a server that accepts connections and never responds."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def closed_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


def test_without_tracking_mlflow_is_not_imported(tmp_path: Path) -> None:
    assert run_searches(tmp_path, enabled=False, new=1) == ("", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_new_store_is_made_without_a_word_but_for_one_that_cannot_be_opened(
    tmp_path: Path,
) -> None:
    """MLflow alone would try the other for 100 seconds."""
    (tmp_path / "new").mkdir()
    (tmp_path / "unusable" / "mlflow.db").mkdir(parents=True)
    output, errors = run_searches(tmp_path, enabled=True, new=60, unusable=1)
    assert (tmp_path / "new" / "mlflow.db").is_file()
    assert output == ""
    (line,) = errors.splitlines()
    assert "MLflow is missing 1 trial;" in line


def test_a_dead_server_costs_two_lines_and_no_time(
    repository: Repository, capfd: pytest.CaptureFixture[str]
) -> None:
    uri = f"http://user:secret@127.0.0.1:{closed_port()}"
    publisher = repository.publisher(tracking_uri=uri)
    publisher.add(TRIALS)
    publisher.end(FINISHED)
    output = capfd.readouterr()
    assert output.out == ""
    first, second = output.err.splitlines()
    assert first.startswith("warning: cannot log to MLflow; the search continues")
    assert second == (
        "warning: MLflow is missing 20 trials; once the server is back, run: twotower tracking sync"
    )
    assert "secret" not in output.err


def test_a_silent_server_keeps_no_trial_waiting(
    repository: Repository,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    silent_port: int,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    monkeypatch.setattr(background, "END_SECONDS", 0.2)
    publisher = repository.publisher(tracking_uri=f"http://127.0.0.1:{silent_port}")
    publisher.add(TRIALS)
    publisher.end(FINISHED)
    assert "MLflow is missing 20 trials" in capfd.readouterr().err


def test_the_search_does_not_wait_for_a_slow_server(
    lock: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = threading.Event()
    run = FakeRun()

    def connect() -> FakeRun:
        answer.wait()
        return run

    publisher = publisher_of(connect, lock)
    publisher.add(TRIALS[:2])
    publisher.add(TRIALS[2:3])
    assert run.order == []
    answer.set()
    publisher.end(FINISHED)
    assert run.order == [0, 1, 2]
    assert run.endings == [FINISHED]
    assert capsys.readouterr().err == ""


def test_trials_are_published_as_they_finish(lock: Path) -> None:
    run = FakeRun()
    publisher = publisher_of(lambda: run, lock)
    for trial in TRIALS[:3]:
        publisher.add([trial])
        while trial.number not in run.logged:
            time.sleep(0.001)
    assert run.endings == []
    publisher.end(FINISHED)
    assert run.endings == [FINISHED]


def test_trials_of_a_short_failure_are_logged_later(
    lock: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(background, "RETRY_SECONDS", 0.01)
    run = FakeRun(failures=3)
    publisher = publisher_of(lambda: run, lock)
    publisher.add(TRIALS[:4])
    while len(run.logged) < 4:
        time.sleep(0.01)
    publisher.end(FINISHED)
    assert run.order == [0, 1, 2, 3]
    assert capsys.readouterr().err.count("warning") == 1


def test_the_end_is_tried_once_more(lock: Path) -> None:
    run = FakeRun(failures=1)
    publisher = publisher_of(lambda: run, lock)
    publisher.add(TRIALS[:1])
    publisher.end(FINISHED)
    assert run.order == [0]
    assert run.endings == [FINISHED]


@pytest.mark.parametrize(
    ("status", "limit"), [("FINISHED", "END_SECONDS"), ("KILLED", "INTERRUPTED_SECONDS")]
)
def test_the_end_of_the_search_does_not_wait_for_a_server_that_hangs(
    lock: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    status: str,
    limit: str,
) -> None:
    forever = threading.Event()

    def connect() -> FakeRun:
        forever.wait()
        return FakeRun()

    monkeypatch.setattr(background, limit, 0.1)
    publisher = publisher_of(connect, lock)
    publisher.add(TRIALS[:1])
    publisher.end(Ending(status))  # type: ignore[arg-type]
    assert "MLflow is missing 1 trial;" in capsys.readouterr().err
    forever.set()


def test_what_is_missing_is_counted(lock: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = FakeRun()
    publisher = publisher_of(lambda: run, lock)
    publisher.add(TRIALS[:2])
    while len(run.logged) < 2:
        time.sleep(0.001)
    run.failures = 100
    publisher.add(TRIALS[2:5])
    publisher.end(FINISHED)
    assert "MLflow is missing 3 trials;" in capsys.readouterr().err


def test_a_study_that_another_process_logs_is_left_to_it(
    lock: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = FakeRun()
    with FileLock(lock):
        publisher = publisher_of(lambda: run, lock)
        publisher.add(TRIALS[:1])
        publisher.end(FINISHED)
    assert run.order == []
    assert "MLflow is missing 1 trial;" in capsys.readouterr().err


class TestPlots:
    @pytest.fixture
    def searched(self, repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Repository:
        root = repository.root
        monkeypatch.setenv("DVC_ROOT", str(root))
        repository.track(0)
        repository.finish()
        (root / "plots").mkdir()
        (root / "plots" / "hpo_history.html").write_text("<html>", encoding="utf-8")
        return repository

    def uploaded(self, repository: Repository, **mlflow: object) -> list[str]:
        """Files in the folder `plots` of the study's run, after an upload."""
        root, config = repository.root, tracking_config(**mlflow)
        upload_plots(config.mlflow, repository.outputs.results, root / "plots")
        study, _ = only_study(root)
        client = MlflowClient(tracking_uri=store_uri(None, root))
        return [file.path for file in client.list_artifacts(study.info.run_id, "plots")]

    def test_they_are_uploaded(self, searched: Repository) -> None:
        assert self.uploaded(searched) == ["plots/hpo_history.html"]

    def test_scores_go_to_the_same_run(self, searched: Repository) -> None:
        folder = searched.root / "metrics"
        folder.mkdir()
        config = tracking_config().mlflow
        log_scores(config, searched.outputs.results, folder)  # refit has not run
        (folder / "test.json").write_text('{"optimized": {"mrr": 0.5}, "scored": true}')
        (folder / "verdict.json").write_text('{"objective": "mrr", "sentence": "good"}')
        log_scores(config, searched.outputs.results, folder)
        study, _ = only_study(searched.root)
        assert study.data.metrics["test/mrr"] == 0.5
        assert study.data.tags["twotower.verdict"] == "good"

    def test_not_if_tracking_is_off(self, searched: Repository) -> None:
        assert self.uploaded(searched, enabled=False) == []

    def test_not_to_the_run_of_another_study(
        self, searched: Repository, capsys: pytest.CaptureFixture[str]
    ) -> None:
        results = json.loads(searched.outputs.results.read_text(encoding="utf-8"))
        other_code = results["provenance"] | {"code": "changed"}
        for other in ({"identity": "f" * 64}, {"provenance": other_code}):
            searched.outputs.results.write_text(json.dumps(results | other), encoding="utf-8")
            assert self.uploaded(searched) == []
        assert capsys.readouterr().err == ""

    def test_a_failure_costs_one_warning(
        self, searched: Repository, capsys: pytest.CaptureFixture[str]
    ) -> None:
        searched.outputs.results.write_text("{}", encoding="utf-8")
        assert self.uploaded(searched) == []
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("warning: MLflow is missing the plots: KeyError")

    def test_a_server_that_hangs_costs_one_warning(
        self,
        searched: Repository,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        forever = threading.Event()
        with monkeypatch.context() as patched:
            patched.setattr(background, "END_SECONDS", 0.1)
            patched.setattr(background, "StudyRun", lambda *_: forever.wait() and mock.Mock())
            assert self.uploaded(searched) == []
        forever.set()
        assert "the plots: no response within 0.1 s;" in capsys.readouterr().err
