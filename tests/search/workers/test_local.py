"""Real worker processes that are killed, run out of memory, and lose their driver."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.conftest import REPOSITORY
from twotower.common.errors import SearchError
from twotower.common.progress import step
from twotower.search.run_trial import Evaluate
from twotower.search.trial import Trial
from twotower.search.workers.epochs import WorkersEpochs
from twotower.search.workers.local import LocalWorkers
from twotower.search.workers.workers import WorkerDiedError

if TYPE_CHECKING:
    from twotower.search.objective import Report  # it imports torch, which each worker would do

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="forks")
posix_only = pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")


def load(folder: Path) -> Evaluate:
    """An objective that does what the trial's `lr` says; notes that it was loaded."""
    (folder / f"loaded-{os.getpid()}").touch()
    return partial(act, folder)


def act(folder: Path, trial: Trial, _report: "Report | None" = None) -> Trial:
    params = trial.params
    (folder / f"began-{params['number']}-{os.getpid()}").touch()
    match params["action"]:
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "memory":
            raise MemoryError
        case "bug":
            raise ZeroDivisionError
        case "wait":
            with step("epoch", total=9, done=int(params["number"])):
                time.sleep(60)
        case "hold":
            ctypes.PyDLL(None).sleep(60)  # keeps the GIL
    return replace(trial, state="COMPLETE", value=float(params["number"]))


def trial(number: int, action: str = "") -> Trial:
    return Trial(number, "RUNNING", {"number": number, "action": action})


@pytest.fixture
def epochs() -> WorkersEpochs:
    return WorkersEpochs()


@pytest.fixture
def workers(tmp_path: Path, epochs: WorkersEpochs) -> Iterator[LocalWorkers]:
    """Forked where that is possible, as it takes no time."""
    forked = partial(act, tmp_path) if sys.platform == "linux" else None
    workers = LocalWorkers(partial(load, tmp_path), 2, epochs, forked)
    yield workers
    workers.stop()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the shared workers note; each test numbers its trials as no other does."""
    return tmp_path_factory.mktemp("workers")


@pytest.fixture(scope="module")
def shared(folder: Path) -> Iterator[LocalWorkers]:
    """Two workers for tests after which there are two again: each takes seconds to begin."""
    workers = LocalWorkers(partial(load, folder), 2)
    yield workers
    workers.stop()


def value(future: "Future[Trial]") -> float | None:
    return future.result(timeout=60).value


def test_trials_run_at_the_same_time_and_load_once(shared: LocalWorkers, folder: Path) -> None:
    for number in range(0, 6, 2):
        futures = [shared.submit(trial(number)), shared.submit(trial(number + 1))]
        assert [value(future) for future in futures] == [number, number + 1]
    pids = [path.name.rpartition("-")[2] for path in folder.glob("began-[0-5]-*")]
    assert len(pids) == 6
    assert len(set(pids)) == 2
    assert all((folder / f"loaded-{pid}").exists() for pid in pids)


def test_a_bug_is_a_failed_trial_and_the_worker_lives(shared: LocalWorkers) -> None:
    record = shared.submit(trial(10, "bug")).result(timeout=60)
    assert (record.state, record.failure) == ("FAIL", "ZeroDivisionError: ")
    assert value(shared.submit(trial(11))) == 11


@posix_only
@pytest.mark.parametrize(("action", "reason"), [("die", "died"), ("memory", "ran out of memory")])
def test_a_death_takes_along_one_trial_and_is_made_good(
    shared: LocalWorkers, action: str, reason: str
) -> None:
    doomed, other = shared.submit(trial(20, action)), shared.submit(trial(21))
    with pytest.raises(WorkerDiedError, match=f"its worker {reason}"):
        doomed.result(timeout=60)
    assert value(other) == 21
    again = [shared.submit(trial(22)), shared.submit(trial(23))]
    assert [value(future) for future in again] == [22, 23]


def test_busy_workers_show_their_epochs_and_take_no_more(
    workers: LocalWorkers, epochs: WorkersEpochs, tmp_path: Path
) -> None:
    for number in range(1, 3):
        workers.submit(trial(number, "wait"))
    pids = begun(tmp_path, 2)
    with pytest.raises(RuntimeError, match="busy"):
        workers.submit(trial(3))
    assert shown(epochs, {"epochs 1/9, 2/9", "epochs 2/9, 1/9"})
    psutil.Process(pids[0]).kill()
    assert shown(epochs, {"epoch 1/9", "epoch 2/9"})


@posix_only
def test_a_worker_that_died_while_idle_is_replaced(workers: LocalWorkers, tmp_path: Path) -> None:
    assert value(workers.submit(trial(0))) == 0
    loaded = len(list(tmp_path.glob("loaded-*")))
    assert loaded == (0 if sys.platform == "linux" else 2), "what is forked has the objective"
    for pid in begun(tmp_path, 1):
        os.kill(pid, signal.SIGKILL)
    time.sleep(0.2)
    futures = [workers.submit(trial(1)), workers.submit(trial(2))]
    results = []
    for number, future in enumerate(futures, 1):
        try:
            results.append(value(future))
        except WorkerDiedError:  # it was noticed only after the trial was handed over
            results.append(value(workers.submit(trial(number))))
    assert results == [1, 2]
    assert len(list(tmp_path.glob("loaded-*"))) == loaded + 1


def cannot_load() -> Evaluate:
    msg = "no such thing"
    raise ValueError(msg)


def test_data_that_cannot_be_loaded_is_no_failed_trial() -> None:
    workers = LocalWorkers(cannot_load, 1)
    try:
        with pytest.raises(SearchError, match="could not load the data: no such thing"):
            workers.submit(trial(0)).result(timeout=60)
    finally:
        workers.stop()


def test_stop_ends_busy_workers_at_once(workers: LocalWorkers, tmp_path: Path) -> None:
    workers.submit(trial(0, "wait"))
    pids = begun(tmp_path, 1)
    workers.stop()
    assert gone(pids)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("forked", "action"),
    [
        pytest.param("None", "wait", marks=posix_only, id="afresh"),
        pytest.param("None", "hold", marks=linux_only, id="afresh-gil"),
        pytest.param("partial(act, Path(sys.argv[1]))", "hold", marks=linux_only, id="forked-gil"),
    ],
)
def test_workers_end_with_their_driver(tmp_path: Path, forked: str, action: str) -> None:
    driver = start_driver(tmp_path, forked, action)
    pids = begun(tmp_path, 2)
    driver.kill()
    driver.wait()
    assert gone(pids)


@posix_only
def test_a_worker_that_is_told_to_end_dies(workers: LocalWorkers, tmp_path: Path) -> None:
    usual = signal.signal(signal.SIGTERM, lambda *_: pytest.fail("the driver is told"))
    try:
        running = workers.submit(trial(0, "wait"))
        os.kill(begun(tmp_path, 1)[0], signal.SIGTERM)
        with pytest.raises(WorkerDiedError, match="its worker died"):
            running.result(timeout=60)
    finally:
        signal.signal(signal.SIGTERM, usual)


def start_driver(folder: Path, forked: str, action: str) -> "subprocess.Popen[bytes]":
    """A process with two workers, each of which does something for long."""
    script = folder / "driver.py"
    script.write_text(
        "import sys, time; from functools import partial; from pathlib import Path\n"
        "from tests.search.workers.test_local import LocalWorkers, act, load, trial\n"
        "if __name__ == '__main__':\n"
        f"    workers = LocalWorkers(partial(load, Path(sys.argv[1])), 2, forked={forked})\n"
        f"    for number in 0, 1: workers.submit(trial(number, {action!r}))\n"
        "    time.sleep(60)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.Popen([sys.executable, str(script), str(folder)], env=environment)


def begun(folder: Path, count: int) -> list[int]:
    """Processes of trials that have begun, as soon as there are `count`."""
    deadline = time.monotonic() + 60
    while len(paths := list(folder.glob("began-*"))) < count:
        assert time.monotonic() < deadline, "the trials have not begun"
        time.sleep(0.02)
    return [int(path.name.rsplit("-", 1)[1]) for path in paths]


def shown(epochs: WorkersEpochs, texts: set[str]) -> bool:
    """Whether one of these is seen within ten seconds."""
    deadline = time.monotonic() + 10
    while epochs.text() not in texts and time.monotonic() < deadline:
        time.sleep(0.02)
    return epochs.text() in texts


def gone(pids: list[int]) -> bool:
    """Whether all processes end within ten seconds."""
    processes = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    return not psutil.wait_procs(processes, timeout=10)[1]
