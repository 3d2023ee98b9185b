import errno
import json
import os
import re
import shutil
import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from tests.search.store.test_database import finished
from tests.search.studies import config as plain
from twotower.common.errors import SearchError
from twotower.common.files import sha256_text
from twotower.config.hpo import HpoConfig
from twotower.search.identity import Fingerprint
from twotower.search.store.database import TrialDatabase
from twotower.search.store.live_study import open_study
from twotower.search.store.location import StudyLocation
from twotower.search.store.snapshot import write_snapshot
from twotower.search.store.trial_files import TrialFiles
from twotower.search.trial import Distributions, Trial, distributions

SPACE = distributions(plain().hpo.search_space)
OLDER_FIELDS = (
    *("number", "state", "params", "provenance", "value", "metrics", "losses", "best_epoch"),
    *("intermediate", "system_attrs", "failure", "started", "finished"),
)
"""Of a trial before it had a seed."""


def location(
    root: Path, *, identity: str = "i", code: str = "p", mixed: bool = False
) -> StudyLocation:
    return StudyLocation(
        root / ".hpo",
        root / "snapshot.db",
        Fingerprint({"x": identity}),
        Fingerprint({"code": code}),
        mixed=mixed,
    )


def made_by(where: StudyLocation, number: int):
    return replace(finished(number), provenance=where.provenance.digest)


def fill(where: StudyLocation, count: int) -> None:
    with open_study(where, HpoConfig(), print) as study:
        for number in range(len(study.trials), count):
            study.add(made_by(where, number))


@pytest.fixture(scope="module")
def five_trials(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a study; to be copied."""
    root = tmp_path_factory.mktemp("five")
    fill(location(root), 5)
    return root


@pytest.fixture
def five(tmp_path: Path, five_trials: Path) -> StudyLocation:
    """A study of five trials."""
    return location(shutil.copytree(five_trials, tmp_path / "five"))


def snapshot(where: StudyLocation, count: int) -> None:
    trials = [made_by(where, number) for number in range(count)]
    facts = {"identity": where.identity.digest}
    write_snapshot(where.snapshot, "s", trials, SPACE, facts)


def numbers(where: StudyLocation, config: HpoConfig | None = None, say=print) -> list[int]:
    with open_study(where, config or HpoConfig(), say) as study:
        return sorted(study.trials)


def test_trials_are_there_when_the_study_is_opened_again(tmp_path: Path) -> None:
    fill(location(tmp_path), 3)
    assert numbers(location(tmp_path)) == [0, 1, 2]


def test_a_trial_on_disk_counts_before_it_is_in_the_database(tmp_path: Path) -> None:
    where = location(tmp_path)
    fill(where, 2)
    # As after a kill between the two: trial 3 waits for trial 2, which is still missing.
    for number in (2, 3):
        TrialFiles(where.trials).write(made_by(where, number))
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
    TrialFiles(where.trials).write(made_by(where, 0))
    assert numbers(where) == [0]
    assert not list(where.trials.iterdir())
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


def test_snapshot_of_another_study_is_ignored_with_a_message(tmp_path: Path) -> None:
    snapshot(location(tmp_path, identity="other"), 4)
    said: list[str] = []
    assert numbers(location(tmp_path), say=said.append) == []
    assert "of another study" in said[0]


@pytest.mark.parametrize("source", ["snapshot", "live"])
def test_drift(tmp_path: Path, source: str) -> None:
    old, new = location(tmp_path, code="old"), location(tmp_path, code="new")
    snapshot(old, 3) if source == "snapshot" else fill(old, 3)
    with pytest.raises(SearchError, match="3 stored trials were run with other code"):
        numbers(new, HpoConfig(on_drift="error"))
    said: list[str] = []
    assert numbers(new, HpoConfig(on_drift="new"), said.append) == []
    assert "the old one is kept" in said[0]
    assert numbers(new, HpoConfig(on_drift="resume"), said.append) == [0, 1, 2]
    assert "mixed" in said[-1]
    fill(old, 3)
    assert numbers(old) == [0, 1, 2]


def test_what_resume_has_mixed_is_seen_by_no_other_setting(tmp_path: Path) -> None:
    new, mixed = location(tmp_path, code="new"), location(tmp_path, code="new", mixed=True)
    fill(location(tmp_path, code="old"), 3)
    assert numbers(mixed, HpoConfig(on_drift="resume")) == [0, 1, 2]
    assert numbers(new, HpoConfig(on_drift="new")) == []
    fill(new, 1)
    assert numbers(mixed, HpoConfig(on_drift="resume")) == [0, 1, 2]
    assert numbers(new, HpoConfig(on_drift="error")) == [0]


def cut_import(
    where: StudyLocation, config: HpoConfig, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a kill while trial `at` was taken over."""

    class Killed(BaseException): ...

    whole = TrialDatabase.append

    def append(self: TrialDatabase, trial: Trial, distributions: Distributions) -> None:
        if trial.number == at:
            raise Killed
        whole(self, trial, distributions)

    with monkeypatch.context() as patch:
        patch.setattr(TrialDatabase, "append", append)
        with pytest.raises(Killed):
            numbers(where, config)


@pytest.mark.parametrize("source", ["snapshot", "live"])
@pytest.mark.parametrize("at", [0, 3])
def test_taking_over_goes_on_after_a_kill(
    five: StudyLocation, monkeypatch: pytest.MonkeyPatch, source: str, at: int
) -> None:
    old, root = five, five.snapshot.parent
    if source == "snapshot":
        shutil.rmtree(old.root)
        snapshot(old, 5)
    mixed, resume = location(root, code="new", mixed=True), HpoConfig(on_drift="resume")
    cut_import(mixed, resume, at, monkeypatch)
    assert numbers(mixed, resume) == [0, 1, 2, 3, 4]
    other = HpoConfig(study_name="other", on_drift="error")
    cut_import(old, other, at, monkeypatch)
    assert numbers(old, other) == [0, 1, 2, 3, 4]


def test_a_mixed_study_does_not_go_on_with_another_history(tmp_path: Path) -> None:
    new, mixed = location(tmp_path, code="new"), location(tmp_path, code="new", mixed=True)
    fill(location(tmp_path, code="old"), 2)
    assert numbers(mixed, HpoConfig(on_drift="resume")) == [0, 1]
    snapshot(new, 4)
    said: list[str] = []
    assert numbers(mixed, HpoConfig(on_drift="resume"), said.append) == [0, 1]
    assert said == []


def test_resumed_trials_keep_their_origin(tmp_path: Path) -> None:
    old, new = location(tmp_path, code="old"), location(tmp_path, code="new")
    fill(old, 2)
    with open_study(new, HpoConfig(on_drift="resume"), print) as study:
        assert {item.provenance for item in study.trials.values()} == {old.provenance.digest}


def test_a_second_search_waits_and_says_for_whom(tmp_path: Path) -> None:
    where = location(tmp_path)
    said: list[str] = []
    opened = threading.Event()

    def second() -> None:
        with open_study(where, HpoConfig(), said.append) as study:
            assert sorted(study.trials) == [0]
            opened.set()

    with open_study(where, HpoConfig(), print) as study:
        thread = threading.Thread(target=second)
        thread.start()
        assert not opened.wait(0.5)
        study.add(made_by(where, 0))
    thread.join(timeout=30)
    assert opened.is_set()
    assert said[0].startswith(f"waiting for process {os.getpid()} on ")


def test_a_damaged_note_of_the_holder_is_no_reason_to_stop(tmp_path: Path) -> None:
    where = location(tmp_path)
    fill(where, 1)
    note = where.home / "lock.holder"
    note.mkdir()
    assert numbers(where) == [0]
    note.rmdir()
    said: list[str] = []
    with open_study(where, HpoConfig(), print):
        note.write_bytes(b"\xff" * 1000)
        thread = threading.Thread(target=lambda: numbers(where, say=said.append))
        thread.start()
        while not said:
            time.sleep(0.01)
    thread.join(30)
    assert len(said[0]) < 150


def test_who_it_is_is_written_beside_it(tmp_path: Path) -> None:
    where = location(tmp_path)
    fill(where, 1)
    assert json.loads((where.home / "identity.json").read_text()) == {"x": "i"}
    assert json.loads((where.folder / "provenance.json").read_text()) == {"code": "p"}
    with open_study(where, HpoConfig(), print):
        study = optuna.load_study(
            storage=str(where.own_storage), study_name=where.study_name(HpoConfig())
        )
        assert study.user_attrs == {
            "identity": where.identity.digest,
            "identity_values": {"x": "i"},
            "provenance": where.provenance.digest,
            "provenance_values": {"code": "p"},
        }
        assert study.metric_names == [HpoConfig().objective]


def test_a_file_keeps_every_digit(tmp_path: Path) -> None:
    exact = replace(finished(7), params={"lr": 1 / 3}, intermediate={1: float("inf"), 10: 1 / 7})
    TrialFiles(tmp_path).write(exact)
    assert TrialFiles(tmp_path).read(7) == exact


def test_a_second_study_of_the_identity_takes_over_what_was_spoiled(tmp_path: Path) -> None:
    # A watcher has added a trial: another study_name goes on with the search's own trials.
    where = location(tmp_path)
    fill(where, 3)
    name = where.study_name(HpoConfig())
    optuna.load_study(storage=str(where.own_storage), study_name=name).enqueue_trial({"dim": 8})
    with pytest.raises(SearchError, match=r"has a trial 3 .*set hpo\.study_name"):
        numbers(where)
    assert numbers(where, HpoConfig(study_name="other", on_drift="error")) == [0, 1, 2]


def test_the_snapshot_as_storage_stands_for_the_default(tmp_path: Path) -> None:
    where = location(tmp_path)
    fill(where, 2)
    for url in ("sqlite:///snapshot.db", f"sqlite:///{where.snapshot.as_posix()}"):
        assert numbers(where, HpoConfig(storage=url)) == [0, 1]
    assert not where.snapshot.exists()


def test_two_clones_share_a_file_under_its_lock(tmp_path: Path) -> None:
    config = HpoConfig(storage=f"sqlite:///{tmp_path.as_posix()}/shared.db")
    one, other = location(tmp_path / "one"), location(tmp_path / "other")
    said: list[str] = []
    with open_study(one, config, print) as study:
        study.add(made_by(one, 0))
        thread = threading.Thread(
            target=lambda: said.append(str(numbers(other, config, said.append)))
        )
        thread.start()
        thread.join(1)
        study.add(made_by(one, 1))
    thread.join(30)
    assert said[0].startswith("waiting for process ")
    assert said[1] == "[0, 1]"


def test_siblings_in_the_storage_are_found_without_their_folders(tmp_path: Path) -> None:
    config = HpoConfig(storage=f"sqlite:///{tmp_path.as_posix()}/shared.db")
    old, new = location(tmp_path / "a", code="old"), location(tmp_path / "b", code="new")
    with open_study(old, config, print) as study:
        study.add(made_by(old, 0))
    with pytest.raises(SearchError, match="1 stored trials were run with other code"):
        numbers(new, config.model_copy(update={"on_drift": "error"}))
    assert numbers(new, config.model_copy(update={"on_drift": "resume"})) == [0]


# Damage


def test_an_emptied_or_deleted_database_begins_from_the_snapshot(tmp_path: Path) -> None:
    where = location(tmp_path)
    fill(where, 3)
    snapshot(where, 2)
    TrialFiles(where.trials).write(made_by(where, 2))
    where.own_storage.file.write_bytes(b"")
    assert numbers(where) == [0, 1, 2]
    where.own_storage.file.unlink()
    TrialFiles(where.trials).write(made_by(where, 2))
    assert numbers(where) == [0, 1, 2]
    shutil.rmtree(where.root)
    assert numbers(where) == [0, 1]


@pytest.mark.parametrize("content", [b"no database" * 1000, None])
def test_a_damaged_database_is_named_and_set_aside(tmp_path: Path, content: bytes | None) -> None:
    where = location(tmp_path)
    fill(where, 3)
    snapshot(where, 2)
    path = where.own_storage.file
    content = content or path.read_bytes()[:20_000]
    path.write_bytes(content)
    path.with_name("study.db-journal").write_bytes(b"of the same day")
    said: list[str] = []
    assert numbers(where, say=said.append) == [0, 1]
    assert "it is kept as study.db.damaged, and trials that have no other copy" in said[0]
    assert path.with_name("study.db.damaged").read_bytes() == content
    fill(where, 3)
    assert numbers(where, say=pytest.fail) == [0, 1, 2]


def test_a_damaged_database_that_others_may_use_is_left_alone(tmp_path: Path) -> None:
    config = HpoConfig(storage=f"sqlite:///{tmp_path.as_posix()}/shared.db")
    (tmp_path / "shared.db").write_bytes(b"no database" * 1000)
    with pytest.raises(SearchError, match=r"shared\.db: file is not a database; .*move it away"):
        numbers(location(tmp_path), config)


def test_a_damaged_sibling_is_passed_over_aloud(tmp_path: Path) -> None:
    old, new = location(tmp_path, code="old"), location(tmp_path, code="new")
    fill(old, 1)
    old.own_storage.file.write_bytes(b"no database" * 1000)
    (old.folder / "provenance.json").write_text('{"co')
    said: list[str] = []
    assert numbers(new, say=said.append) == []
    assert said[0].endswith(": ignored")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text[:40], "Unterminated"),
        (lambda _text: "", "Expecting value"),
        (lambda text: text.replace("0.5", "0.6"), "its checksum is wrong"),
        (lambda _text: "[]", "list indices"),
        (lambda _text: json.dumps({"record": "{}", "sha256": sha256_text("{}")}), "validation"),
    ],
)
def test_a_damaged_trial_is_named(tmp_path: Path, change, reason: str) -> None:
    where = location(tmp_path)
    fill(where, 1)
    TrialFiles(where.trials).write(made_by(where, 2))
    path = where.trials / "0002.json"
    path.write_text(change(path.read_text()))
    said: list[str] = []
    assert numbers(where, say=said.append) == [0]
    assert re.search(rf"0002\.json: damaged: .*{reason}.*not used, and the search runs", said[0])
    assert numbers(where, say=pytest.fail) == [0]


NAMED = "study.db was changed since it was stored; it is not used, and runs again unless"
CHANGED_VALUE = "update trial_values set value = 0.99 where trial_id = 3"
CHANGES = (
    CHANGED_VALUE,
    "update trial_params set param_value = 7 where trial_id = 3",
    "update trial_user_attributes set value_json = '{' where trial_id = 3",
    "update trials set state = 'RUNNING' where trial_id = 3",
    "update trials set state = 'DONE' where trial_id = 3",
    "update trials set number = 1 where trial_id = 3",
    "update trials set datetime_start = '0001-01-01 00:00:00' where trial_id = 3",
    "delete from trial_user_attributes where trial_id = 3 and key = 'digest'",
    "delete from trials where trial_id = 3",
)
"""How trial 2 is changed."""


def execute(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(statement)


@pytest.mark.parametrize("statement", CHANGES)
def test_a_changed_trial_is_not_used_and_the_others_are(
    five: StudyLocation, statement: str
) -> None:
    where = five
    execute(where.own_storage.file, statement)
    said: list[str] = []
    with open_study(where, HpoConfig(), said.append) as study:
        assert sorted(study.trials) == [0, 1, 3, 4]
        assert study.committed == 2
        study.add(made_by(where, 2))
        assert study.committed == 5
        assert study.trials == {number: made_by(where, number) for number in range(5)}
    [line] = said
    assert NAMED in line
    assert numbers(where, say=pytest.fail) == [0, 1, 2, 3, 4]


def test_a_changed_trial_comes_from_the_snapshot(tmp_path: Path) -> None:
    where = location(tmp_path)
    fill(where, 3)
    snapshot(where, 4)
    execute(where.own_storage.file, CHANGED_VALUE)
    execute(where.snapshot, "update trial_values set value = 0.99 where trial_id = 1")
    said: list[str] = []
    assert numbers(where, say=said.append) == [0, 1, 2, 3]
    assert [line.split(" of ")[0] for line in said] == ["trial 2", "trial 0"]
    assert numbers(where, HpoConfig(n_trials=4), say=said.append) == [0, 1, 2, 3]


def test_a_kill_while_a_study_is_begun_anew_loses_nothing(
    five: StudyLocation, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = five
    execute(where.own_storage.file, CHANGED_VALUE)
    cut_import(where, HpoConfig(), 1, monkeypatch)
    assert numbers(where, say=pytest.fail) == [0, 1, 3, 4]


def test_a_trial_of_an_older_version_is_read(tmp_path: Path) -> None:
    where = location(tmp_path)
    fill(where, 1)
    trial = made_by(where, 2)
    text = json.dumps({name: trial.to_json()[name] for name in OLDER_FIELDS}, sort_keys=True)
    content = json.dumps({"record": text, "sha256": sha256_text(text)})
    (where.trials / "0002.json").write_text(content + "\n", encoding="utf-8")
    with open_study(where, HpoConfig(), print) as study:
        assert study.trials[2] == trial


def test_a_trial_under_another_number_is_refused(tmp_path: Path) -> None:
    where = location(tmp_path)
    fill(where, 1)
    TrialFiles(where.trials).write(made_by(where, 2))
    (where.trials / "0002.json").rename(where.trials / "0003.json")
    said: list[str] = []
    assert numbers(where, say=said.append) == [0]
    assert "it holds trial 2" in said[0]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_a_full_or_read_only_disk_is_one_line_and_nothing_half_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    where = location(tmp_path)

    def fail(*_arguments: object) -> None:
        raise OSError(code, os.strerror(code))

    with open_study(where, HpoConfig(), print) as study:
        study.add(made_by(where, 0))
        monkeypatch.setattr("twotower.common.files.os.fsync", fail)
        with pytest.raises(SearchError, match=rf"0001\.json: .*{os.strerror(code)}$"):
            study.add(made_by(where, 1))
        assert not list(where.trials.iterdir())
    with pytest.raises(SearchError, match=f"cannot store the study: {os.strerror(code)}"):
        numbers(where)
    monkeypatch.undo()
    assert numbers(where) == [0]


@pytest.mark.skipif(os.name != "posix", reason="flock")
@pytest.mark.parametrize("code", [errno.ENOLCK, errno.ENOTSUP])
def test_a_file_system_without_locks_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*_arguments: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(SearchError, match=r"lock: this file system has no locks.*a local disk$"):
        numbers(location(tmp_path))


def test_a_folder_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / ".hpo").write_text("")
    with pytest.raises(SearchError, match=r"\.hpo.*cannot store the study"):
        numbers(location(tmp_path))
