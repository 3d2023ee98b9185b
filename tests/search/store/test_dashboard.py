"""What optuna-dashboard reads; its own functions are in its package, which is not installed."""

from pathlib import Path
from typing import Any

import optuna
import pytest

from tests.search.store.test_database import SPACE, varied
from twotower.search.store.dashboard import NOTE_VERSION, PART_LENGTH, StudyCard
from twotower.search.store.database import open_database
from twotower.search.store.snapshot import read_stored, write_snapshot
from twotower.search.store.storage_url import sqlite_storage

WINNER = {"number": 3, "params": {"dim": 8, "lr": 0.01}, "metrics": {"mrr": 0.25}, "value": 0.25}
RESULTS = {"objective": "mrr", "best_trial": WINNER}


def shown(path: Path) -> tuple[list[str] | None, dict[str, Any]]:
    """Names of the values, and system attributes of the only study, as Optuna reads them."""
    storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
    try:
        study = optuna.load_study(study_name="s", storage=storage)
        return study.metric_names, storage.get_study_system_attrs(study._study_id)
    finally:
        storage.engine.dispose()


def test_a_snapshot_names_its_values_and_its_best_trial(tmp_path: Path) -> None:
    card = StudyCard.of_results(RESULTS)
    for name in ("a.db", "b.db"):
        write_snapshot(tmp_path / name, "s", varied(), SPACE, {"c": 1}, card=card)
    assert (tmp_path / "a.db").read_bytes() == (tmp_path / "b.db").read_bytes()
    assert read_stored(tmp_path / "a.db")[0] == {"c": 1}
    names, attributes = shown(tmp_path / "a.db")
    assert names == ["mrr"]
    note = attributes["dashboard:note_str:0"]
    assert "**trial 3**, 0.2500, with dim 8, lr 0.01." in note
    assert "report.html" in note
    assert attributes["dashboard:note_ver"] == 1


def test_the_best_of_a_sample_has_another_value_than_its_trial() -> None:
    note = StudyCard.of_results(RESULTS | {"sample": {"share": 0.25}}).note
    assert note.index("a sample of 25.0% of the users") < note.index("**trial 3**, 0.2500")
    assert "sample" not in StudyCard.of_results(RESULTS).note


def test_a_study_without_a_complete_trial_has_no_best() -> None:
    assert "best" not in StudyCard.of_results(RESULTS | {"best_trial": None}).note


def test_a_note_that_somebody_has_written_stays(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with open_database(sqlite_storage(path), "s") as database:
        database.show(StudyCard(["mrr"], "ours"))
        database.show(StudyCard(["mrr"], "another"))
    assert shown(path)[1]["dashboard:note_str:0"] == "ours"


def test_the_values_of_a_study_with_somebodys_note_get_their_name(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with open_database(sqlite_storage(path), "s") as database:
        storage = optuna.storages.RDBStorage(f"sqlite:///{path}")
        study = storage.get_study_id_from_name("s")
        for name, value in (("dashboard:note_str:0", "theirs"), (NOTE_VERSION, 7)):
            storage.set_study_system_attr(study, name, value)
        storage.engine.dispose()
        database.show(StudyCard(["mrr"], "ours"))
    names, attributes = shown(path)
    assert names == ["mrr"]
    assert (attributes["dashboard:note_str:0"], attributes[NOTE_VERSION]) == ("theirs", 7)


@pytest.mark.parametrize("length", [0, 1, PART_LENGTH, PART_LENGTH + 1])
def test_a_long_note_is_kept_in_parts(length: int) -> None:
    note = "x" * length
    attributes = dict(StudyCard(["mrr"], note).attributes())
    parts = [text for name, text in attributes.items() if ":note_str:" in name]
    assert "".join(parts) == note
    assert all(len(text) <= PART_LENGTH for text in parts)
    assert list(attributes)[-1] == NOTE_VERSION
