import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from tests.conftest import ODD_NAME
from tests.search.studies import config as plain
from twotower.common.errors import SearchError
from twotower.config import Config
from twotower.config.hyperparameters import hyperparameters
from twotower.search.store.database import open_database
from twotower.search.store.storage_url import sqlite_storage
from twotower.search.trial import Trial, complete_by_value, distributions

SPACE = distributions(plain().hpo.search_space)
DEFAULTS = hyperparameters(Config().model, Config().train)


def finished(number: int, value: float | None = 0.5) -> Trial:
    return Trial(
        number=number,
        state="COMPLETE" if value is not None else "FAIL",
        params={name: DEFAULTS[name] for name in SPACE},
        provenance="p",
        value=value,
        metrics={"recall_at_10": 0.5} if value is not None else {},
        losses=[2.0, 1.5],
        failure=None if value is not None else "no good",
        started=1_700_000_000_123,
        finished=1_700_000_001_456,
    )


def varied() -> list[Trial]:
    """Records with all that a trial can have."""
    return [
        replace(finished(0), system_attrs={"fixed_params": {"dim": 32}}),
        finished(1, None),
        replace(finished(2, 0.25), intermediate={1: 0.125, 2: 0.25}),
        replace(finished(3), params=finished(3).params | {"lr": 0.00012345678, "batch_size": 512}),
        replace(finished(4), intermediate={1: float("inf")}, system_attrs={"b": [1, 2], "a": "ü"}),
        replace(finished(5, None), losses=[], failure="it's\nbroken"),
    ]


@pytest.mark.parametrize("folder", ["plain", ODD_NAME])
def test_records_survive_a_database(tmp_path: Path, folder: str) -> None:
    (tmp_path / folder).mkdir()
    for _ in range(2):
        with open_database(sqlite_storage(tmp_path / folder / "x.db"), "s") as database:
            for item in varied()[len(database.read().trials) :]:
                database.append(item, SPACE)
            assert database.read().trials == varied()
    assert [path.name for path in tmp_path.rglob("*")] == [folder, "x.db"]


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/St_Johns"])
def test_times_survive_in_any_time_zone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    # 2023-11-05 05:30 UTC is a moment that clocks in America show twice.
    item = replace(finished(0), started=1_699_162_200_000, finished=1_699_165_800_000)
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        with open_database(sqlite_storage(tmp_path / "x.db"), "s") as database:
            database.append(item, SPACE)
        with open_database(sqlite_storage(tmp_path / "x.db"), "s") as database:
            assert database.read().trials == [item]
    finally:
        monkeypatch.undo()
        time.tzset()


def test_no_such_folder_is_a_clear_error(tmp_path: Path) -> None:
    with (
        pytest.raises(SearchError, match=r"no/such/x\.db: unable to open database file"),
        open_database(sqlite_storage(tmp_path / "no/such/x.db"), "s"),
    ):
        pass


def test_a_study_of_another_kind_is_refused(tmp_path: Path) -> None:
    storage = sqlite_storage(tmp_path / "x.db")
    optuna.create_study(storage=str(storage), study_name="s", direction="minimize")
    with (
        pytest.raises(SearchError, match="has other objectives or directions"),
        open_database(storage, "s"),
    ):
        pass


def ask(study: optuna.Study) -> None:
    study.ask()


def enqueue(study: optuna.Study) -> None:
    study.enqueue_trial({"dim": 8})


def complete(study: optuna.Study) -> None:
    study.add_trial(optuna.trial.create_trial(value=1.0))


@pytest.mark.parametrize("write", [ask, enqueue, complete])
def test_trials_of_a_watcher_are_refused_and_number_nothing(
    tmp_path: Path, write: Callable[[optuna.Study], None]
) -> None:
    storage = sqlite_storage(tmp_path / "x.db")
    with open_database(storage, "s") as database:
        database.append(finished(0), SPACE)
        write(optuna.load_study(storage=str(storage), study_name="s"))
        for _ in range(2):
            with pytest.raises(SearchError, match=r"has a trial 1 .*set hpo\.study_name"):
                database.append(finished(1), SPACE)
    with open_database(storage, "s") as database:
        with pytest.raises(SearchError, match="has a trial 1 that this search did not run"):
            database.read()
        assert database.read_own().trials == [finished(0)]
    assert len(optuna.load_study(storage=str(storage), study_name="s").trials) == 2


def test_a_commit_whose_answer_was_lost_counts(tmp_path: Path) -> None:
    # Optuna then tries again, and would store the trial twice.
    storage = sqlite_storage(tmp_path / "x.db")
    with open_database(storage, "s") as one, open_database(storage, "s") as other:
        one.append(finished(0), SPACE)
        other.append(finished(0), SPACE)
        assert one.read().trials == [finished(0)]


def test_readers_fail_no_commit(tmp_path: Path) -> None:
    storage, done = sqlite_storage(tmp_path / "x.db"), threading.Event()
    views: list[list[int]] = []

    def watch() -> None:
        seen: list[int] = []
        views.append(seen)
        while not done.is_set():
            study = optuna.load_study(storage=str(storage), study_name="s")
            seen.append(len(study.trials))

    def linger() -> None:
        while not done.is_set():
            with closing(sqlite3.connect(storage.file, timeout=60)) as connection:
                rows = connection.execute("select * from trials")
                rows.fetchone()
                done.wait(0.3)  # in the middle of reading
                rows.close()

    with open_database(storage, "s") as database:
        database.append(finished(0), SPACE)
        threads = [threading.Thread(target=each) for each in (watch, watch, linger)]
        for thread in threads:
            thread.start()
        try:
            for number in range(1, 6):
                database.append(finished(number), SPACE)
        finally:
            done.set()
            for thread in threads:
                thread.join()
        assert [item.number for item in database.read().trials] == list(range(6))
    assert all(seen == sorted(seen) for seen in views)


def test_the_first_of_the_highest_comes_first() -> None:
    trials = [finished(0, 0.2), finished(1, None), finished(2, 0.7), finished(3, 0.7)]
    assert [trial.number for trial in complete_by_value(trials)] == [2, 3, 0]
