"""The live study on a real PostgreSQL server; skipped where none is installed."""

import multiprocessing
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import optuna
import pytest
from sqlalchemy import text

from tests.conftest import REPOSITORY
from tests.search.filling import fill, made
from tests.search.store.server import PASSWORD, QUOTED, Server, running
from tests.search.store.test_live_study import location, numbers
from tests.search.test_run_search import Run, config
from twotower.common.errors import SearchError
from twotower.config.hpo import HpoConfig
from twotower.search.store.live_study import open_study
from twotower.search.store.location import StudyLocation
from twotower.search.store.locks import ServerLock
from twotower.search.store.storage_url import parse_storage

pytest.importorskip("psycopg")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as server:
        if server is None:
            pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
        yield server


@pytest.fixture
def url(server: Server) -> Iterator[str]:
    """URL of an empty database."""
    server.sql("DROP DATABASE IF EXISTS db WITH (FORCE)")
    server.sql("CREATE DATABASE db")
    return server.url()


def add(where: StudyLocation, settings: HpoConfig, count: int) -> None:
    with open_study(where, settings, print) as study:
        for number in range(len(study.trials), count):
            study.add(made(number, where.provenance.digest))


def stored(server: Server) -> list[int]:
    """Numbers in the order of their commits; fails if one of the trials is not whole."""
    rows = server.sql(
        "SELECT number, state, (SELECT count(*) FROM trial_params p WHERE p.trial_id = t.trial_id)"
        " FROM trials t ORDER BY trial_id",
        "db",
    )
    assert all(state in ("COMPLETE", "FAIL") and params == 4 for _, state, params in rows)
    return [number for number, _, _ in rows]


def fill_and_tell(root: Path, storage: str | None, count: int, told: Connection) -> None:
    fill(root, storage, count, kept=told.send)


@contextmanager
def filling(
    root: Path, storage: str | None, count: int
) -> Iterator[tuple[BaseProcess, Connection]]:
    """A search in a process that is killed in the end, and the numbers of what it has kept.

    It is forked, as it would take seconds to import everything again.
    """
    forks = multiprocessing.get_context("fork")
    ours, theirs = forks.Pipe(duplex=False)
    process = forks.Process(target=fill_and_tell, args=(root, storage, count, theirs))
    process.start()
    theirs.close()
    try:
        yield process, ours
    finally:
        process.kill()
        process.join()


def told(numbers: Connection, most: int) -> list[int]:
    """What is told until the process has ended or has told so many."""
    found: list[int] = []
    with suppress(EOFError):
        while len(found) < most:
            found.append(numbers.recv())
    return found


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="forks")
@pytest.mark.parametrize("server_storage", [False, True])
def test_killed_at_any_moment_nothing_is_lost(
    tmp_path: Path, server: Server, url: str, server_storage: bool
) -> None:
    storage, count = url if server_storage else None, int(os.environ.get("TRIALS", "16"))
    fill(tmp_path / "straight", None, count)
    root, kept, kills = tmp_path / "killed", set[int](), 0
    dice = random.Random(0)  # noqa: S311
    for _ in range(int(os.environ.get("KILLS", "4"))):
        with filling(root, storage, count) as (process, numbers_kept):
            kept |= set(told(numbers_kept, dice.randint(1, 3)))
            time.sleep(dice.uniform(0, 0.06))
            kills += process.is_alive()
            process.kill()
            kept |= set(told(numbers_kept, count))
        if server_storage:
            assert stored(server) == list(range(len(stored(server))))
        there = numbers(location(root), HpoConfig(storage=storage))
        assert kept <= set(there)
    assert kills
    fill(root, storage, count)
    straight = (tmp_path / "straight/snapshot.db").read_bytes()
    assert (root / "snapshot.db").read_bytes() == straight
    if not server_storage:
        return
    assert stored(server) == list(range(count))
    assert not [path for path in root.rglob("*") if path.is_file() and _holds_secret(path)]


def _holds_secret(path: Path) -> bool:
    content = path.read_bytes()
    return any(text.encode() in content for text in (PASSWORD, QUOTED, "postgresql"))


def test_whole_searches_leave_the_same_files(tmp_path: Path, prepared: Path, url: str) -> None:
    local = Run(tmp_path / "local", prepared, config(n_trials=3))
    assert Run(tmp_path / "one", prepared, config(n_trials=2, storage=url)).new == [0, 1]
    there = Run(tmp_path / "other", prepared, config(n_trials=3, storage=url))
    assert there.new == [2]
    assert there.digests == local.digests


def test_grown_from_another_machine_equals_straight(tmp_path: Path, url: str) -> None:
    fill(tmp_path / "straight", None, 8)
    fill(tmp_path / "one", url, 4)
    said: list[str] = []
    fill(tmp_path / "other", url, 8, say=said.append)  # no file of the first is there
    straight = (tmp_path / "straight/snapshot.db").read_bytes()
    assert (tmp_path / "other/snapshot.db").read_bytes() == straight
    assert not said


def test_drift_is_noticed_from_another_machine(tmp_path: Path, url: str) -> None:
    old, new = location(tmp_path / "a", code="old"), location(tmp_path / "b", code="new")
    add(old, HpoConfig(storage=url), 3)
    with pytest.raises(SearchError, match="3 stored trials were run with other code"):
        numbers(new, HpoConfig(storage=url, on_drift="error"))
    for on_drift, there in (("new", []), ("resume", [0, 1, 2])):
        said: list[str] = []
        assert numbers(new, HpoConfig(storage=url, on_drift=on_drift), said.append) == there
        assert "3 stored trials were run with other code" in said[0]
    assert numbers(old, HpoConfig(storage=url)) == [0, 1, 2]


def test_a_second_machine_waits_and_reads_what_was_added(tmp_path: Path, url: str) -> None:
    settings, said, there = HpoConfig(storage=url), [], []
    one, other = location(tmp_path / "one"), location(tmp_path / "other")
    second = threading.Thread(target=lambda: there.extend(numbers(other, settings, said.append)))
    with open_study(one, settings, print) as study:
        second.start()
        while not said:
            time.sleep(0.05)
        study.add(made(0, one.provenance.digest))
        assert second.is_alive()
    second.join(30)
    assert there == [0]
    [line] = said
    assert line.startswith(f"waiting for process {os.getpid()} on ")
    assert "postgresql+psycopg://me:***@127.0.0.1" in line


def test_a_machine_that_dies_with_the_lock_is_noticed_within_a_minute(
    tmp_path: Path, url: str
) -> None:
    lock = ServerLock(parse_storage(url, tmp_path), "study")
    lock.acquire(pytest.fail)
    shown = [f"SHOW tcp_keepalives_{name}" for name in ("idle", "interval", "count")]
    times = [int(lock._connection.execute(text(line)).scalar()) for line in shown]
    lock.release()
    assert times == [30, 10, 3]


HOLDER = """
import sys, time
from pathlib import Path
from twotower.search.store.locks import ServerLock
from twotower.search.store.storage_url import parse_storage

ServerLock(parse_storage(sys.argv[1], Path()), sys.argv[2]).acquire(print)
print("held", flush=True)
time.sleep(60)
"""


def test_the_lock_ends_with_its_process(tmp_path: Path, url: str) -> None:
    settings, where, said = HpoConfig(storage=url), location(tmp_path), []
    command = [sys.executable, "-c", HOLDER, url, where.study_name(settings)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"

        def say(line: str) -> None:
            said.append(line)
            process.kill()

        assert numbers(where, settings, say) == []
    assert said[0].startswith(f"waiting for process {process.pid} on ")


def test_a_changed_trial_is_not_used_and_the_others_are(
    tmp_path: Path, server: Server, url: str
) -> None:
    where, settings, said = location(tmp_path), HpoConfig(storage=url), []
    add(where, settings, 4)
    server.sql("UPDATE trial_values SET value = 0.99 WHERE trial_id = 2", "db")
    with open_study(where, settings, said.append) as study:
        assert sorted(study.trials) == [0, 2, 3]
        assert said[0].startswith("trial 1 of postgresql+psycopg://me:***@127.0.0.1")
        study.add(made(1, where.provenance.digest))
    assert stored(server) == [0, 1, 2, 3]
    assert numbers(where, settings, pytest.fail) == [0, 1, 2, 3]


def test_a_server_that_stops_ends_the_search_and_loses_nothing(
    tmp_path: Path, server: Server, url: str
) -> None:
    where, settings = location(tmp_path), HpoConfig(storage=url)
    digest = where.provenance.digest
    try:
        with open_study(where, settings, print) as study:
            study.add(made(0, digest))
            server.stop()
            started = time.monotonic()
            with pytest.raises(SearchError) as caught:
                study.add(made(1, digest))
            assert time.monotonic() - started < 10
        assert "\n" not in str(caught.value)
        assert "me:***@" in str(caught.value)
        assert "is the server running" in str(caught.value)
        assert str(caught.value).endswith(
            "finished trials are kept, and the next run resumes the search"
        )
        with pytest.raises(SearchError, match="refused"):
            numbers(where, settings)
        assert [path.name for path in where.trials.iterdir()] == ["0001.json"]
    finally:
        server.start()
    assert numbers(where, settings) == [0, 1]
    assert stored(server) == [0, 1]


def test_a_server_that_was_restarted_between_trials_is_no_reason_to_stop(
    tmp_path: Path, server: Server, url: str
) -> None:
    where, settings = location(tmp_path), HpoConfig(storage=url)
    with open_study(where, settings, print) as study:
        study.add(made(0, where.provenance.digest))
        server.stop()
        server.start()
        study.add(made(1, where.provenance.digest))
        [[locks]] = server.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        assert locks == 1
    assert stored(server) == [0, 1]


def test_a_lost_lock_that_another_search_holds_ends_the_search(
    tmp_path: Path, server: Server, url: str
) -> None:
    one, other = location(tmp_path / "one"), location(tmp_path / "other")
    settings = HpoConfig(storage=url)
    with open_study(one, settings, print) as study:
        server.sql("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
        with (
            open_study(other, settings, print),
            pytest.raises(SearchError, match=r"lost, and process \d+ on .* now runs the study"),
        ):
            study.add(made(0, one.provenance.digest))
    assert numbers(one, settings) == [0]


def test_a_watcher_reads_and_must_not_write(tmp_path: Path, url: str) -> None:
    where, settings = location(tmp_path), HpoConfig(storage=url)
    rdb = optuna.storages.RDBStorage(parse_storage(url, tmp_path).optuna_url)
    with open_study(where, settings, print) as study:
        study.add(made(0, where.provenance.digest))
        watched = optuna.load_study(storage=rdb, study_name=where.study_name(settings))
        assert len(watched.trials) == 1
        watched.ask()
        with pytest.raises(SearchError, match=r"has a trial 1 .*set hpo\.study_name"):
            study.add(made(1, where.provenance.digest))
    rdb.remove_session()
    rdb.engine.dispose()
    renamed = settings.model_copy(update={"study_name": "again"})
    assert numbers(where, renamed) == [0, 1]


def test_tables_are_made_once_by_many(tmp_path: Path, url: str) -> None:
    there: list[list[int]] = []

    def search(number: int) -> None:
        where = location(tmp_path / str(number), identity=str(number))
        add(where, HpoConfig(storage=url), 2)
        there.append(numbers(where, HpoConfig(storage=url)))

    threads = [threading.Thread(target=search, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert there == [[0, 1]] * 4


@pytest.mark.parametrize(
    ("database", "password", "problem"),
    [
        ("db", "wr0ng", 'password authentication failed for user "me"; check user and password'),
        ("none", QUOTED, 'database "none" does not exist; create it first'),
    ],
)
def test_what_keeps_us_out_is_one_line(
    tmp_path: Path, server: Server, database: str, password: str, problem: str
) -> None:
    with pytest.raises(SearchError) as caught:
        numbers(location(tmp_path), HpoConfig(storage=server.url(database, password)))
    message = str(caught.value)
    assert problem in message
    assert "\n" not in message
    assert not any(secret in message for secret in (PASSWORD, QUOTED, "wr0ng"))
