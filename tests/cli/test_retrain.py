"""`twotower retrain`."""

import json
from pathlib import Path

import pytest

from tests.cli.command import error_of, twotower
from tests.search.test_run_search import Run, config
from twotower.ingest.data_profile import PROFILE, DataProfile, read_last_run, write_last_run
from twotower.search.store.snapshot import read_snapshot


@pytest.fixture
def finished(tmp_path: Path, prepared: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which a search has run."""
    run = Run(tmp_path, prepared, config(n_trials=3))
    run.outputs.snapshot.rename(tmp_path / "hpo_study.db")
    (tmp_path / "data" / "prepared").mkdir(parents=True)
    profile = DataProfile(360, 30, 20, None, None, user_hashes=[], item_hashes=[])
    write_last_run(tmp_path / "data" / "prepared" / PROFILE, profile)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_start_and_reset(finished: Path) -> None:
    warm, last = finished / "data" / "warm_start.json", finished / "data" / "last_run.json"
    output = twotower("retrain", "start", "--top", 2)
    assert len(json.loads(warm.read_text(encoding="utf-8"))["trials"]) == 2
    profile = read_last_run(last)
    assert profile is not None
    assert (profile.rows, profile.users) == (360, 30)
    assert "the 2 best trials of hpo_study.db" in output.stdout
    assert "360 rows, 30 users" in output.stdout
    assert output.stderr == ""
    before = warm.read_bytes(), last.read_bytes()
    twotower("retrain", "start", "--top", 2)
    assert (warm.read_bytes(), last.read_bytes()) == before
    twotower("retrain", "reset")
    assert json.loads(warm.read_text(encoding="utf-8")) == {"trials": []}
    assert read_last_run(last) is None
    assert read_snapshot(finished / "hpo_study.db")[1]  # the last run stays as it is


def test_without_data_nothing_is_written(finished: Path) -> None:
    (finished / "data" / "prepared" / PROFILE).unlink()
    missing = "profile.json: no such file; run the prepare stage first (dvc repro prepare)"
    assert missing in error_of("retrain", "start")
    assert list((finished / "data").iterdir()) == [finished / "data" / "prepared"]
