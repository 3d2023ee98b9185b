"""A checkout that was moved or copied does not log to where it was, and can be repaired."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.conftest import ODD_NAME
from tests.tracking.conftest import Repository, tracking_config
from twotower.common.errors import TrackingError
from twotower.tracking.mlflow_store import open_experiment, store_uri
from twotower.tracking.relocate import LOCATIONS, Relocation, relocate

CONFIG = tracking_config().mlflow
REPAIR = "this checkout was moved or copied; to have them here, run: twotower tracking relocate"


@pytest.fixture
def old(tmp_path: Path, empty_mlflow: Path) -> Path:
    """A checkout whose store has a run with an artifact."""
    root = tmp_path / ODD_NAME
    root.mkdir()
    shutil.copy(empty_mlflow, root)
    log(root, "first")
    return root


def log(root: Path, text: str) -> str:
    """A run of that name and content; its id."""
    client, experiment = open_experiment(CONFIG, root)
    run = client.create_run(experiment, run_name=text).info.run_id
    client.log_text(run, text, "x.txt")
    return run


def logged(root: Path) -> dict[str, str]:
    """The artifact of each run, by the run's name; all of them must lie in the checkout."""
    client = MlflowClient(store_uri(None, root))
    experiment = client.get_experiment_by_name(CONFIG.experiment)
    assert experiment is not None
    found = {}
    for run in client.search_runs([experiment.experiment_id]):
        folder = client.download_artifacts(run.info.run_id, "")
        assert Path(folder).is_relative_to(root)
        found[run.info.run_name] = (Path(folder) / "x.txt").read_text()
    return found


def relocated(root: Path) -> Relocation:
    return relocate(store_uri(None, root), root)


def copied(old: Path) -> Path:
    return Path(shutil.copytree(old, old.with_name("copy of it")))


def test_a_store_that_was_not_moved_is_used(old: Path) -> None:
    log(old, "second")
    assert logged(old) == {"first": "first", "second": "second"}
    assert relocated(old) == Relocation([])


def test_a_moved_checkout(old: Path) -> None:
    new = old.rename(old.with_name("new"))
    with pytest.raises(TrackingError, match=REPAIR) as raised:
        log(new, "second")
    assert str(raised.value).startswith(f"mlflow.db names artifacts in {old / 'mlruns'}: ")
    done = relocated(new)
    assert (done.places, done.changed, done.copied) == ([old / "mlruns"], 2, 0)
    log(new, "second")
    assert logged(new) == {"first": "first", "second": "second"}
    assert not old.exists()
    assert relocated(new) == Relocation([])


def test_a_copy_gets_what_it_has_logged_to_the_other_checkout(old: Path) -> None:
    new = copied(old)
    client = MlflowClient(store_uri(None, new))  # as other programs do
    experiment = client.get_experiment_by_name(CONFIG.experiment)
    assert experiment is not None
    run = client.create_run(experiment.experiment_id, run_name="astray")
    client.log_text(run.info.run_id, "astray", "x.txt")
    assert (old / "mlruns" / run.info.run_id).exists()
    client.create_run(experiment.experiment_id, run_name="without artifacts")
    done = relocated(new)
    assert (done.changed, done.copied) == (4, 1)
    client.delete_run(client.search_runs([experiment.experiment_id])[0].info.run_id)
    assert logged(new) == {"first": "first", "astray": "astray"}
    assert logged(old) == {"first": "first"}


def test_the_search_of_a_copy_says_so_and_writes_nothing_elsewhere(
    old: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = copied(old)
    before = sorted(old.rglob("*"))
    repository = Repository(new)
    repository.track(0, 1)
    warnings = capsys.readouterr().err.splitlines()
    assert "the search continues and keeps every trial: mlflow.db names" in warnings[0]
    assert warnings[0].endswith(REPAIR)
    assert sorted(old.rglob("*")) == before
    with pytest.raises(TrackingError, match=REPAIR):
        repository.sync()
    relocated(new)
    assert repository.sync() == len(repository.numbers)


def test_moved_twice(old: Path) -> None:
    middle = old.rename(old.with_name("middle"))
    uri = (middle / "mlruns").as_uri()
    MlflowClient(store_uri(None, middle)).create_experiment("made there", uri)
    new = middle.rename(old.with_name("new"))
    assert relocated(new).places == sorted([old / "mlruns", middle / "mlruns"])
    assert logged(new) == {"first": "first"}


def test_places_that_somebody_chose_stay(old: Path, tmp_path: Path) -> None:
    chosen = tmp_path / "large disk" / "mlruns"
    chosen.mkdir(parents=True)
    client = MlflowClient(store_uri(None, old))
    locations = {"disk": chosen.as_uri(), "cloud": "s3://bucket/mlruns"}
    locations["other"] = (tmp_path / "elsewhere").as_uri()
    for name, location in locations.items():
        client.create_experiment(name, location)
    new = old.rename(tmp_path / "new")
    assert relocated(new).places == [old / "mlruns"]
    client = MlflowClient(store_uri(None, new))
    for name, location in locations.items():
        experiment = client.get_experiment_by_name(name)
        assert experiment is not None
        assert experiment.artifact_location == location


def test_one_checkout_under_two_names_was_not_moved(old: Path) -> None:
    link = old.with_name("link")
    link.symlink_to(old)
    log(link, "second")
    assert logged(old).keys() == {"first", "second"}


def test_all_or_nothing(old: Path) -> None:
    new = old.rename(old.with_name("new"))
    with closing(sqlite3.connect(new / "mlflow.db", isolation_level=None)) as connection:
        connection.execute("ALTER TABLE trace_tags RENAME TO elsewhere")  # the last of them
        with pytest.raises(TrackingError, match=r"cannot be relocated, and is unchanged: no such"):
            relocated(new)
        table, column = LOCATIONS[1]
        locations = connection.execute(f"SELECT {column} FROM {table}").fetchall()  # noqa: S608
    assert all(location.startswith(old.as_uri()) for (location,) in locations)


def test_a_place_of_another_user_is_as_good_as_gone(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = copied(old)
    exists = Path.exists

    def refuse(self: Path) -> bool:
        if self.is_relative_to(old):
            raise PermissionError(13, "Permission denied", str(self))
        return exists(self)

    monkeypatch.setattr(Path, "exists", refuse)
    assert relocated(new).places == [old / "mlruns"]


@pytest.mark.parametrize("uri", ["postgresql://me:secret@host/db", "sqlite:////abs/mlflow.db"])
def test_other_stores_are_not_ours_to_change(uri: str, tmp_path: Path) -> None:
    with pytest.raises(
        TrackingError, match=r"^the MLflow store is not a SQLite file in this check"
    ):
        relocate(uri, tmp_path)
