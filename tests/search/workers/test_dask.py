"""Real dask workers that join, differ, die, and lose their scheduler or their driver."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.conftest import REPOSITORY
from tests.search.test_run_search import SMALL, Run, _trials, config, digests, outputs
from tests.search.workers.processes import Cluster, Noting, kill_tree
from twotower.common.errors import ConfigError, SearchError
from twotower.common.portable import is_pinned
from twotower.config import Config
from twotower.search.trial import Trial
from twotower.search.workers.choose import open_workers
from twotower.search.workers.dask import DaskWorkers
from twotower.search.workers.dask_cluster import dask_workers
from twotower.search.workers.worker_check import describe, differences
from twotower.search.workers.workers import WorkerDiedError

posix_only = pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")


def trial(number: int, action: str = "") -> Trial:
    return Trial(number, "RUNNING", {"number": number, "action": action})


def eventually(true: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def own_workers() -> list[psutil.Process]:
    """Worker processes of a cluster that this process has started."""
    children = psutil.Process().children(recursive=True)
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


@contextmanager
def serving(
    objective: Noting, address: str | None = None, limit: int = 4, wait: float = 60
) -> Iterator[tuple[DaskWorkers, list[str]]]:
    said: list[str] = []
    settings = config(executor="dask", workers=1, dask={"address": address, "wait": wait})
    with dask_workers(settings, objective, limit, said.append) as workers:
        yield workers, said


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory, prepared: Path) -> Run:
    return Run(tmp_path_factory.mktemp("straight"), prepared, config())


@pytest.mark.slow
def test_a_cluster_of_this_machine_gives_the_same_bytes(
    straight: Run, tmp_path: Path, prepared: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = Run(tmp_path, prepared, config(executor="dask", workers=2))
    assert run.digests == straight.digests
    assert run.said == []
    assert own_workers() == []
    again = Run(tmp_path, prepared, config(executor="dask", dask={"address": "tcp://nowhere:1"}))
    assert again.digests == straight.digests  # without any trial to run, nobody is looked for
    assert capfd.readouterr() == ("", "")


@posix_only
@pytest.mark.slow
def test_a_killed_worker_costs_one_try_and_another_takes_its_place(tmp_path: Path) -> None:
    objective = Noting(tmp_path)
    with serving(objective, limit=1) as (workers, _):
        with pytest.raises(WorkerDiedError, match="its worker died"):
            workers.submit(trial(0, "die")).result(60)
        with pytest.raises(WorkerDiedError, match="out of memory"):
            workers.submit(trial(0, "memory")).result(60)
        assert workers.submit(trial(0)).result(60).value == 0.0
        assert len(objective.noted("began")) == 3  # dask has run none of them again
        assert len(objective.noted("arrived")) == 2
        assert workers.count == 1


@pytest.mark.slow
def test_the_objective_arrives_once_at_each_worker_and_trials_never_overlap(
    tmp_path: Path, cluster: Cluster
) -> None:
    cluster.scheduler()
    cluster.worker("--nthreads", "3", "--no-nanny")
    objective = Noting(tmp_path, seconds=0.05)
    with (
        serving(objective, cluster.address) as (first, _),
        serving(objective, cluster.address) as (second, _),
    ):
        assert first.count == second.count == 1
        futures = [workers.submit(trial(n)) for n in range(5) for workers in (first, second)]
        assert [future.result(60).value for future in futures] == [n // 2 for n in range(10)]
        assert len(objective.noted("arrived")) == 2  # once for each search
        assert objective.most_at_once() == 1
        cluster.worker("--no-nanny")
        eventually(lambda: first.count == 2)
        for future in [first.submit(trial(n)) for n in range(10)]:
            future.result(60)
        assert len(set(objective.noted("began"))) == 2
        assert len(objective.noted("arrived")) == 4


@pytest.mark.slow
def test_a_worker_that_differs_is_refused_with_the_reason(tmp_path: Path, cluster: Cluster) -> None:
    cluster.scheduler()
    preload = [f"--preload=twotower.search.{name}" for name in ("identity", "run_trial")]
    cluster.worker("--no-nanny", *preload, ATEN_CPU_CAPABILITY="default")
    eventually(lambda: cluster.has_said("Registered to"))
    said: list[str] = []
    settings = config(executor="dask", dask={"address": cluster.address, "wait": 4})
    message = r"no matching dask worker for 4 s \(1 refused\); finished trials are kept"
    with (
        pytest.raises(SearchError, match=message),
        dask_workers(settings, Noting(tmp_path), 4, said.append),
    ):
        pass
    refusals = [line for line in said if "is refused" in line]
    assert len(refusals) == 1
    assert "DEFAULT, not " in refusals[0]
    assert ("twotower portable dask worker" in refusals[0]) == is_pinned()


def test_without_a_scheduler_the_search_ends_with_one_line(
    tmp_path: Path, cluster: Cluster
) -> None:
    with (
        pytest.raises(SearchError, match=r"no dask scheduler at tcp.* within 1 s"),
        serving(Noting(tmp_path), cluster.address, wait=1),
    ):
        pass


def test_a_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    for module in ("dask", "dask_cluster"):
        monkeypatch.delitem(sys.modules, f"twotower.search.workers.{module}", raising=False)
    objective: Any = Noting(tmp_path)
    with (
        pytest.raises(ConfigError, match=r"needs distributed; run pip install 'twotower\[dask\]'"),
        open_workers(config(executor="dask", workers=1), objective, 1, print, tmp_path),
    ):
        pass


def test_differences_name_what_differs_and_both_values() -> None:
    study = describe("tpe", "cpu")
    assert differences(study, study) == ""
    assert differences(study | {"torch": "2.12"}, study | {"torch": "2.13"}) == (
        "torch is 2.12, not 2.13 as in the study"
    )
    pinned = {"platform": "Linux x86_64 portable"}
    assert differences({"platform": "Linux x86_64 AVX2"}, pinned) == (
        "platform is Linux x86_64 AVX2, not Linux x86_64 portable as in the study; "
        "start it with twotower portable dask worker …"
    )
    assert differences({}, {"device": "cuda"}) == "device is unknown, not cuda as in the study"


def slow(address: str | None = None) -> Config:
    """A search of a few seconds; on dask workers if they have an address."""
    space = SMALL["hpo"]["search_space"] | {"epochs": {"type": "int", "low": 1, "high": 100}}
    dask = {"executor": "dask", "dask": {"address": address, "wait": 120}, "tries": 20}
    return config(n_trials=8, search_space=space, **(dask if address else {}))


@posix_only
@pytest.mark.pipeline
@pytest.mark.slow
def test_the_same_bytes_when_worker_scheduler_and_driver_are_killed(
    tmp_path: Path, prepared: Path, cluster: Cluster
) -> None:
    (tmp_path / "straight").mkdir()
    straight = Run(tmp_path / "straight", prepared, slow())
    script = tmp_path / "search.py"
    script.write_text(
        "import sys; from pathlib import Path; from tests.search.workers.test_dask import *\n"
        "if __name__ == '__main__':\n"
        "    Run(Path(sys.argv[1]), Path(sys.argv[2]), slow(sys.argv[3]))\n"
    )
    root = tmp_path / "dask"
    root.mkdir()
    command = [sys.executable, script, root, prepared, cluster.address]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}

    def kept(number: int) -> bool:
        return _trials(root) >= number

    scheduler, worker = cluster.scheduler(), cluster.worker("--no-nanny")
    driver = subprocess.Popen(command, env=environment)
    eventually(lambda: kept(1), 120)
    kill_tree(scheduler)
    kill_tree(worker)
    cluster.scheduler()
    cluster.worker("--no-nanny")
    eventually(lambda: kept(4), 120)
    assert driver.poll() is None
    kill_tree(driver)
    assert not outputs(root).results.exists()
    driver = subprocess.Popen(command, env=environment)
    assert driver.wait(240) == 0
    assert digests(outputs(root)) == straight.digests
