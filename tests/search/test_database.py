import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.search.test_propose import DEFAULTS, run
from twotower.common.errors import SearchError
from twotower.config.search import HpoConfig
from twotower.search.database import mask_password, open_database, read_snapshot, write_snapshot
from twotower.search.propose import distributions
from twotower.search.trial import TrialRecord, best

SPACE = distributions(HpoConfig().search_space)


def record(number: int, value: float | None = 0.5) -> TrialRecord:
    return TrialRecord(
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


def test_records_survive_a_database(tmp_path: Path) -> None:
    records = [record(0), record(1, None), record(2, 0.25)]
    with open_database(f"sqlite:///{tmp_path}/x.db", "s") as database:
        for item in records:
            database.append(item, SPACE)
        assert database.records() == records
    with open_database(f"sqlite:///{tmp_path}/x.db", "s") as database:
        assert database.records() == records


def test_snapshot_is_a_function_of_its_content(tmp_path: Path) -> None:
    records = list(run(6, HpoConfig()).values())
    write_snapshot(tmp_path / "a.db", "s", records, SPACE, {"b": 1, "a": {"c": 2}})
    write_snapshot(tmp_path / "b.db", "s", records, SPACE, {"a": {"c": 2}, "b": 1})
    assert (tmp_path / "a.db").read_bytes() == (tmp_path / "b.db").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.db", "b.db"]
    attributes, back = read_snapshot(tmp_path / "a.db")
    assert attributes == {"a": {"c": 2}, "b": 1}
    assert back == records


def test_order_of_metrics_and_params_is_not_in_the_bytes(tmp_path: Path) -> None:
    one = replace(record(0), metrics={"mrr": 0.1, "recall_at_10": 0.2})
    other = replace(
        one,
        metrics=dict(reversed(one.metrics.items())),
        params=dict(reversed(one.params.items())),
    )
    write_snapshot(tmp_path / "a.db", "s", [one], SPACE, {})
    write_snapshot(tmp_path / "b.db", "s", [other], SPACE, {})
    assert (tmp_path / "a.db").read_bytes() == (tmp_path / "b.db").read_bytes()


def test_snapshot_holds_no_clock(tmp_path: Path) -> None:
    write_snapshot(tmp_path / "a.db", "s", [record(0)], SPACE, {})
    [back] = read_snapshot(tmp_path / "a.db")[1]
    assert (back.started, back.finished) == (0, 0)


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the time zone cannot be set here")
def test_time_zone_is_not_in_the_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    for zone in ("UTC", "Asia/Tokyo", "America/New_York"):
        monkeypatch.setenv("TZ", zone)
        time.tzset()
        path = tmp_path / "a.db"
        write_snapshot(path, "s", [record(0)], SPACE, {})
        written.append(path.read_bytes())
        [back] = read_snapshot(path)[1]
        assert back.started == 0
        with open_database(f"sqlite:///{tmp_path}/live.db", zone.replace("/", "-")) as database:
            database.append(record(0), SPACE)
            assert database.records() == [record(0)]
    monkeypatch.undo()
    time.tzset()
    assert written[0] == written[1] == written[2]


def test_reading_a_snapshot_leaves_it_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    write_snapshot(path, "s", [record(0)], SPACE, {})
    before = path.read_bytes()
    path.chmod(0o444)
    read_snapshot(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_no_snapshot_is_no_trial(tmp_path: Path) -> None:
    assert read_snapshot(tmp_path / "none.db") == ({}, [])


def test_other_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("this is no database" * 100)
    with pytest.raises(SearchError, match=r"not a study.*delete the file"):
        read_snapshot(tmp_path / "x.db")


@pytest.mark.parametrize(
    "url",
    ["nonsense", "mysql+nodriver://u:secret@localhost/x", "sqlite:////no/such/folder/x.db"],
)
def test_unusable_storage_is_a_clear_error(url: str) -> None:
    with (
        pytest.raises(SearchError, match=r"hpo\.storage: cannot use") as caught,
        open_database(url, "s"),
    ):
        pass
    assert "secret" not in str(caught.value)


def test_passwords_are_masked() -> None:
    assert mask_password("postgresql://me:secret@host/db") == "postgresql://me:***@host/db"


def test_best_is_the_first_of_the_highest() -> None:
    records = [record(0, 0.2), record(1, None), record(2, 0.7), record(3, 0.7)]
    winner = best(records)
    assert winner is not None
    assert winner.number == 2
    assert best([record(0, None)]) is None
