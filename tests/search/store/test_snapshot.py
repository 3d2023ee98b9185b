import errno
import os
import shutil
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

from tests.conftest import ODD_NAME
from tests.search.store.test_database import SPACE, finished, varied
from twotower.common.errors import SearchError
from twotower.search.identity import Fingerprint
from twotower.search.store import snapshot as snapshot_module
from twotower.search.store.snapshot import read_snapshot, read_stored, write_snapshot


@pytest.fixture(scope="module")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of one trial; not to be changed."""
    path = tmp_path_factory.mktemp("snapshot") / "x.db"
    write_snapshot(path, "s", [finished(0)], SPACE, {})
    return path


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def test_snapshot_is_a_function_of_its_content(tmp_path: Path) -> None:
    odd = tmp_path / ODD_NAME / "b.db"
    write_snapshot(tmp_path / "a.db", "s", varied(), SPACE, {"b": 1, "a": {"c": 2}})
    write_snapshot(odd, "s", varied(), SPACE, {"a": {"c": 2}, "b": 1})
    assert (tmp_path / "a.db").read_bytes() == odd.read_bytes()
    assert sorted(path.name for path in tmp_path.rglob("*")) == sorted([ODD_NAME, "a.db", "b.db"])
    attributes, back = read_stored(tmp_path / "a.db")
    assert attributes == {"a": {"c": 2}, "b": 1}
    assert back.trials == [item.without_times() for item in varied()]


def test_rows_are_those_that_optuna_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_snapshot(tmp_path / "ours.db", "s", varied(), SPACE, {"a": 1})
    monkeypatch.setattr(snapshot_module, "INSERT_SCHEMA", "another")
    write_snapshot(tmp_path / "optuna.db", "s", varied(), SPACE, {"a": 1})
    assert dump(tmp_path / "ours.db") == dump(tmp_path / "optuna.db")
    assert (tmp_path / "ours.db").read_bytes() != (tmp_path / "optuna.db").read_bytes()


def test_the_schema_is_the_known_one(tmp_path: Path) -> None:
    storage = optuna.storages.RDBStorage(f"sqlite:///{tmp_path}/x.db")
    assert storage.get_current_version() == snapshot_module.INSERT_SCHEMA
    storage.engine.dispose()


@pytest.mark.skipif(os.name == "nt", reason="a process has the time zone of its Windows")
def test_time_zone_is_not_in_the_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zones = ("UTC", "Asia/Tokyo")
    try:
        for zone in zones:
            monkeypatch.setenv("TZ", zone)
            time.tzset()
            write_snapshot(tmp_path / zone, "s", varied(), SPACE, {})
    finally:
        monkeypatch.undo()
        time.tzset()
    here, there = ((tmp_path / zone).read_bytes() for zone in zones)
    assert here == there


def test_order_of_metrics_and_params_is_not_in_the_bytes(tmp_path: Path) -> None:
    one = replace(finished(0), metrics={"mrr": 0.1, "recall_at_10": 0.2})
    other = replace(
        one,
        metrics=dict(reversed(one.metrics.items())),
        params=dict(reversed(one.params.items())),
    )
    write_snapshot(tmp_path / "a.db", "s", [one], SPACE, {})
    write_snapshot(tmp_path / "b.db", "s", [other], SPACE, {})
    assert (tmp_path / "a.db").read_bytes() == (tmp_path / "b.db").read_bytes()


def test_snapshot_holds_no_clock(tmp_path: Path) -> None:
    write_snapshot(tmp_path / "a.db", "s", [finished(0)], SPACE, {})
    [back] = read_stored(tmp_path / "a.db")[1].trials
    assert (back.started, back.finished) == (0, 0)


def test_reading_a_snapshot_leaves_it_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    write_snapshot(path, "s", [finished(0)], SPACE, {})
    before = path.read_bytes()
    path.chmod(0o444)
    read_stored(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_no_snapshot_is_no_trial(tmp_path: Path) -> None:
    assert read_snapshot(tmp_path / "none.db") == ({}, [])


def garbage(path: Path) -> None:
    path.write_text("this is no database" * 100)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:20_000])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def of_a_newer_optuna(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("update version_info set schema_version = 99")
        connection.execute("update alembic_version set version_num = 'v9.0.0.a'")


def of_two_studies(path: Path) -> None:
    optuna.create_study(storage=f"sqlite:///{path}", study_name="other")


def with_a_foreign_trial(path: Path) -> None:
    optuna.load_study(storage=f"sqlite:///{path}", study_name="s").ask()


def endless(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        columns = [row[1] for row in connection.execute("pragma table_info(trials)")]
        connection.execute("drop table trials")
        rows = "with recursive n(x) as (select 1 union all select x + 1 from n)"
        chosen = ", ".join(f"x as {name}" for name in columns)
        connection.execute(f"create view trials as {rows} select {chosen} from n")  # noqa: S608


def of_no_text(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content.replace(b"CREATE TABLE trials", b"CREATE TA\xe4LE trials"))


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (of_no_text, "invalid continuation byte"),
        (endless, "it has a view, and Optuna makes none"),
        (garbage, "file is not a database"),
        (cut, "malformed"),
        (empty, "has 0 studies"),
        (of_a_newer_optuna, "no longer compatible with the table schema"),
        (of_two_studies, "has 2 studies"),
        (with_a_foreign_trial, "has a trial 1 that this search did not run"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, snapshot: Path, spoil: Any, problem: str) -> None:
    path = Path(shutil.copy(snapshot, tmp_path / "x.db"))
    spoil(path)
    with pytest.raises(SearchError) as caught:
        read_stored(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: not a study of this search: ")
    assert message.endswith("; delete the file to start afresh")
    assert problem in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("statement", "problem", "intact"),
    [
        ("update trial_values set value = 0.99 where trial_id = 2", "trial 1 was changed", [0, 2]),
        ("delete from trials where trial_id = 1", "a trial was deleted", [1, 2]),
        (
            "update study_user_attributes set value_json = '{}'",
            "its identity was changed",
            [0, 1, 2],
        ),
    ],
)
def test_a_changed_snapshot_is_refused(
    tmp_path: Path, statement: str, problem: str, intact: list[int]
) -> None:
    path, values = tmp_path / "x.db", {"seed": 1}
    facts = {"identity": Fingerprint(values).digest, "identity_values": values}
    trials = [finished(number) for number in range(3)]
    write_snapshot(path, "s", trials, SPACE, facts)
    assert len(read_snapshot(path)[1]) == 3
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)
    with pytest.raises(
        SearchError, match=rf"{problem} since.*dvc checkout --force x\.db restores it"
    ):
        read_snapshot(path)
    kept = read_stored(path)[1].trials
    assert [trial.number for trial in kept] == intact


def full_disk(*_arguments: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_one_line_and_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.db"
    write_snapshot(path, "s", [finished(0)], SPACE, {})
    before = path.read_bytes()
    monkeypatch.setattr(snapshot_module.os, "fsync", full_disk)
    with pytest.raises(SearchError, match=r"a\.db: cannot be written.*No space left.*run .* again"):
        write_snapshot(path, "s", varied(), SPACE, {})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
