import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tests.search.test_database import record
from twotower.common.errors import SearchError
from twotower.common.files import write_json
from twotower.config.search import HpoConfig
from twotower.search.database import write_snapshot
from twotower.search.identity import Fingerprint
from twotower.search.propose import distributions
from twotower.search.study import StudyLocation, open_study

SPACE = distributions(HpoConfig().search_space)


def location(root: Path, *, identity: str = "i", code: str = "p") -> StudyLocation:
    return StudyLocation(
        root / ".hpo",
        root / "snapshot.db",
        Fingerprint({"x": identity}),
        Fingerprint({"code": code}),
    )


def made_by(where: StudyLocation, number: int):
    return replace(record(number), provenance=where.provenance.digest)


def fill(where: StudyLocation, count: int) -> None:
    with open_study(where, HpoConfig(), print) as study:
        for number in range(len(study.records), count):
            study.add(made_by(where, number))


def snapshot(where: StudyLocation, count: int) -> None:
    records = [made_by(where, number) for number in range(count)]
    facts = {"identity": where.identity.digest}
    write_snapshot(where.snapshot, "s", records, SPACE, facts)


def numbers(where: StudyLocation, config: HpoConfig | None = None, say=print) -> list[int]:
    with open_study(where, config or HpoConfig(), say) as study:
        return sorted(study.records)


def test_trials_are_there_when_the_study_is_opened_again(tmp_path: Path) -> None:
    fill(location(tmp_path), 3)
    assert numbers(location(tmp_path)) == [0, 1, 2]


def test_a_trial_on_disk_counts_before_it_is_in_the_database(tmp_path: Path) -> None:
    where = location(tmp_path)
    fill(where, 2)
    # As after a kill between the two: trial 3 waits for trial 2, which is still missing.
    for number in (2, 3):
        write_json(where.folder / "trials" / f"{number:04d}.json", made_by(where, number).to_json())
    assert numbers(where) == [0, 1, 2, 3]
    assert not list((where.folder / "trials").iterdir())


def test_a_gap_keeps_later_trials_out_of_the_database(tmp_path: Path) -> None:
    where = location(tmp_path)
    with open_study(where, HpoConfig(), print) as study:
        study.add(made_by(where, 1))
        assert [path.name for path in (where.folder / "trials").iterdir()] == ["0001.json"]
        study.add(made_by(where, 0))
        assert not list((where.folder / "trials").iterdir())


def test_a_kill_between_database_and_file_leaves_both_and_is_harmless(tmp_path: Path) -> None:
    where = location(tmp_path)
    fill(where, 1)
    write_json(where.folder / "trials" / "0000.json", made_by(where, 0).to_json())
    assert numbers(where) == [0]
    assert numbers(where) == [0]


def test_half_written_files_are_not_read(tmp_path: Path) -> None:
    where = location(tmp_path)
    fill(where, 1)
    (where.folder / "trials" / ".tmp-abc").write_text('{"number": 1')
    assert numbers(where) == [0]


def test_snapshot_of_the_same_study_is_taken_over(tmp_path: Path) -> None:
    where = location(tmp_path)
    snapshot(where, 4)
    assert numbers(where) == [0, 1, 2, 3]


def test_snapshot_of_another_study_is_ignored_aloud(tmp_path: Path) -> None:
    snapshot(location(tmp_path, identity="other"), 4)
    said: list[str] = []
    assert numbers(location(tmp_path), say=said.append) == []
    assert "holds another study" in said[0]


@pytest.mark.parametrize("source", ["snapshot", "live"])
def test_drift(tmp_path: Path, source: str) -> None:
    old, new = location(tmp_path, code="old"), location(tmp_path, code="new")
    snapshot(old, 3) if source == "snapshot" else fill(old, 3)
    with pytest.raises(SearchError, match="3 stored trials were made by other code"):
        numbers(new, HpoConfig(on_drift="error"))
    said: list[str] = []
    assert numbers(new, HpoConfig(on_drift="new"), said.append) == []
    assert "the old one is kept" in said[0]
    assert numbers(new, HpoConfig(on_drift="resume"), said.append) == [0, 1, 2]
    assert "mixed" in said[-1]
    fill(old, 3)
    assert numbers(old) == [0, 1, 2]


def test_resumed_trials_keep_their_origin(tmp_path: Path) -> None:
    old, new = location(tmp_path, code="old"), location(tmp_path, code="new")
    fill(old, 2)
    with open_study(new, HpoConfig(on_drift="resume"), print) as study:
        assert {item.provenance for item in study.records.values()} == {old.provenance.digest}


def test_a_second_search_waits_and_says_for_whom(tmp_path: Path) -> None:
    where = location(tmp_path)
    said: list[str] = []
    opened = threading.Event()

    def second() -> None:
        with open_study(where, HpoConfig(), said.append) as study:
            assert sorted(study.records) == [0]
            opened.set()

    with open_study(where, HpoConfig(), print) as study:
        thread = threading.Thread(target=second)
        thread.start()
        assert not opened.wait(0.5)
        study.add(made_by(where, 0))
    thread.join(timeout=30)
    assert opened.is_set()
    assert said[0].startswith("waiting for process ")


def test_who_it_is_is_written_beside_it(tmp_path: Path) -> None:
    where = location(tmp_path)
    fill(where, 1)
    assert json.loads((where.home / "identity.json").read_text()) == {"x": "i"}
    assert json.loads((where.folder / "provenance.json").read_text()) == {"code": "p"}
