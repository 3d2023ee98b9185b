"""What MLflow lacks after a search is logged later, once."""

import hashlib
import json
from pathlib import Path
from unittest import mock

import pytest
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Run

from twotower.common.errors import TrackingError
from twotower.config import Config, parse_config
from twotower.search.identity import Fingerprint, build_identity, provenance
from twotower.search.outputs import SearchOutputs
from twotower.search.proposals.propose import distributions
from twotower.search.store.live_study import open_study
from twotower.search.store.location import StudyLocation
from twotower.search.store.snapshot import write_snapshot
from twotower.search.trial import Trial
from twotower.tracking import study_info
from twotower.tracking.journal import LOCK, NOTE
from twotower.tracking.mlflow_run import COMMIT_TAG
from twotower.tracking.store import store_uri
from twotower.tracking.study_info import finished_trial, track_study
from twotower.tracking.sync import sync

DATA = dict.fromkeys(("train.parquet", "validation.parquet"), "ab" * 32)
COUNTS = {"num_train_rows": 700, "num_validation_rows": 100}


def config(**mlflow: object) -> Config:
    return parse_config({"mlflow": {"enabled": True, "experiment": "tests", **mlflow}})


def record(number: int, digest: str) -> Trial:
    return Trial(
        number=number,
        state="COMPLETE",
        params={"batch_size": 128, "dim": 8, "epochs": 3, "lr": 0.01},
        provenance=digest,
        value=0.1 * number,
        metrics={"recall_at_10": 0.1 * number},
        losses=[2.0, 1.0],
        started=1_000,
        finished=2_000,
    )


class Repository:
    """A live study with some trials in its database and some that wait in files."""

    def __init__(
        self, root: Path, count: int = 3, code: Fingerprint | None = None, *, mixed: bool = False
    ) -> None:
        self.root = root
        self.outputs = SearchOutputs(
            root / "hpo_study.db", root / "hpo_results.json", root / "trials.csv"
        )
        self.location = StudyLocation(
            root / ".hpo",
            self.outputs.snapshot,
            build_identity(config(), DATA),
            code or provenance(),
            mixed=mixed,
        )
        self.said: list[str] = []
        with open_study(self.location, config().hpo, self.said.append) as live:
            for number in range(count):
                live.add(record(number, self.location.provenance.digest))
            live.add(record(count + 1, self.location.provenance.digest))  # one still runs
        self.numbers = [*range(count), count + 1]

    def sync(self, **mlflow: object) -> int:
        return sync(config(**mlflow), self.root, self.said.append, outputs=self.outputs)

    def track(self, *numbers: int, **mlflow: object) -> None:
        """As a search does that tells the tracker of these trials, and is then killed."""
        tracker = track_study(config(**mlflow), self.root, self.location, COUNTS)
        for number in numbers:
            tracker.trial(finished_trial(record(number, "p"), "recall_at_10"))
        tracker.abort("killed", interrupted=True)

    def snapshot(self, count: int) -> None:
        """Trials 0..count - 1 as DVC keeps them."""
        digest = self.location.provenance.digest
        records = [record(number, digest).without_times() for number in range(count)]
        attributes = {
            "identity": self.location.identity.digest,
            "identity_values": self.location.identity.values,
            "provenance": self.location.provenance.values,
        }
        space = distributions(config().hpo.search_space)
        write_snapshot(self.outputs.snapshot, "two-tower", records, space, attributes)

    def finish(self) -> None:
        best = {"number": 2, "value": 0.2, "metrics": {"recall_at_10": 0.2}}
        results = {
            "identity": self.location.identity.digest,
            "provenance": {"mixed": False, **self.location.provenance.values},
            "n_trials": 3,
            "best_trial": best,
        }
        self.outputs.results.write_text(json.dumps(results), encoding="utf-8")


def all_runs(root: Path) -> list[Run]:
    client = MlflowClient(tracking_uri=store_uri(None, root))
    experiment = client.get_experiment_by_name("tests")
    assert experiment is not None
    return list(client.search_runs([experiment.experiment_id]))


def runs(root: Path) -> tuple[Run, dict[int, Run]]:
    found = all_runs(root)
    (search,) = [run for run in found if "twotower.trial" not in run.data.tags]
    trials = [run for run in found if "twotower.trial" in run.data.tags]
    numbered = {int(run.data.tags["twotower.trial"]): run for run in trials}
    assert len(numbered) == len(trials)
    return search, numbered


def test_a_killed_search_is_completed_without_duplicates(root: Path) -> None:
    repository = Repository(root)
    repository.track(0, 2)
    assert repository.sync() == 2
    search, trials = runs(root)
    assert sorted(trials) == repository.numbers
    assert search.info.status == "KILLED"
    assert trials[1].info.end_time == 2_000
    repository.finish()
    assert repository.sync() == 0
    search, trials = runs(root)
    assert sorted(trials) == repository.numbers
    assert search.info.status == "FINISHED"
    assert search.data.metrics["best_value"] == 0.2
    assert "MLflow lacked none" in repository.said[-1]


def test_identity_of_data_and_code(root: Path) -> None:
    repository = Repository(root)
    repository.track(0)
    search, _ = runs(root)
    tags, identity = search.data.tags, repository.location.identity
    assert tags["twotower.identity"] == identity.digest
    assert tags["twotower.provenance"] == repository.location.provenance.digest
    assert len(tags["twotower.data"]) == 64
    assert len(tags["mlflow.source.git.commit"]) == 40  # of this checkout
    assert search.data.params["train.lr"] == str(config().train.lr)
    datasets = {entry.dataset.name: entry.dataset for entry in search.inputs.dataset_inputs}
    assert sorted(datasets) == ["train", "validation"]
    assert json.loads(datasets["train"].profile) == {"num_rows": 700}


def test_a_study_that_was_not_tracked_is_left_alone(root: Path) -> None:
    repository = Repository(root)
    assert repository.sync() == 0
    assert repository.said == []


def test_the_snapshot_of_another_clone_is_logged(root: Path) -> None:
    repository = Repository(root)
    repository.snapshot(3)
    assert repository.sync() == 3
    assert sorted(runs(root)[1]) == [0, 1, 2]
    repository.track(0, 1, 2, 4)  # the clone goes on itself: the same run
    assert sorted(runs(root)[1]) == [0, 1, 2, 4]
    assert repository.sync() == 0


def test_trials_of_a_database_that_nobody_names_come_from_the_snapshot(root: Path) -> None:
    repository = Repository(root)
    repository.snapshot(3)
    repository.track()
    (repository.location.folder / "study.db").unlink()
    assert repository.sync() == 4
    assert sorted(runs(root)[1]) == repository.numbers


def test_results_belong_to_the_code_that_made_them(root: Path) -> None:
    """The same study, searched before and after a change of the code."""
    before = Repository(root, code=Fingerprint({**provenance().values, "code": "of before"}))
    before.track()
    after = Repository(root)
    after.track()
    after.finish()
    assert after.sync() == 8
    status = {
        run.data.tags["twotower.version.code"]: (run.info.status, "best_value" in run.data.metrics)
        for run in all_runs(root)
        if "twotower.trial" not in run.data.tags
    }
    code = after.location.provenance.values["code"]
    assert status == {"of before": ("KILLED", False), code: ("FINISHED", True)}


def test_a_study_that_may_be_mixed_and_is_not_is_its_snapshots(root: Path) -> None:
    repository = Repository(root, mixed=True)
    repository.track()
    repository.snapshot(3)
    repository.finish()
    assert repository.sync() == 4
    search, trials = runs(root)
    assert sorted(trials) == repository.numbers
    assert search.info.status == "FINISHED"


def test_a_running_search_logs_itself(root: Path) -> None:
    repository = Repository(root)
    repository.track()
    with FileLock(repository.location.folder / LOCK):
        assert repository.sync() == 0
    assert repository.said == ["two-tower: a search that is running logs it"]


def test_a_server_that_is_still_down_is_one_error(root: Path) -> None:
    repository = Repository(root)
    repository.track(0)
    with pytest.raises(TrackingError, match="MLflow cannot be written"):
        sync(
            config(),
            root,
            repository.said.append,
            config(tracking_uri="http://127.0.0.1:9").mlflow,
            repository.outputs,
        )


def test_the_code_is_that_of_the_search_and_not_of_the_sync(root: Path) -> None:
    repository = Repository(root)
    repository.snapshot(3)
    repository.sync()
    assert COMMIT_TAG not in runs(root)[0].data.tags  # nobody knows it
    with mock.patch.object(study_info, "git_tags", return_value={COMMIT_TAG: "first"}):
        repository.track(0)
    with mock.patch.object(study_info, "git_tags", return_value={COMMIT_TAG: "later"}):
        repository.track(0)
    repository.sync()
    assert runs(root)[0].data.tags[COMMIT_TAG] == "first"


def test_the_store_of_the_environment_is_remembered_without_credentials(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = Repository(root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///other.db")
    repository.track(0)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert repository.sync() == 3
    assert "in experiment tests of sqlite:///" in repository.said[-1]
    assert repository.said[-1].endswith("other.db")
    assert (root / "other.db").exists()
    assert MlflowClient(tracking_uri=store_uri(None, root)).get_experiment_by_name("tests") is None

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    repository.track()
    note = (repository.location.folder / NOTE).read_text(encoding="utf-8")
    assert "127.0.0.1:9" in note
    assert "secret" not in note


def test_plots_of_another_search_stay(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    (root / "plots").mkdir()
    (root / "plots" / "hpo_history.html").write_text("drawn")
    repository = Repository(root)
    repository.track()
    repository.finish()
    client = MlflowClient(tracking_uri=store_uri(None, root))

    def uploaded(results_drawn: bytes) -> set[str]:
        digest = hashlib.md5(results_drawn, usedforsecurity=False).hexdigest()
        deps = [{"path": "hpo_results.json", "md5": digest}]
        lock = {"stages": {"visualize": {"deps": deps}}}
        (root / "dvc.lock").write_text(json.dumps(lock))
        repository.sync()
        return {file.path for file in client.list_artifacts(runs(root)[0].info.run_id)}

    assert "plots" not in uploaded(b"of another search")
    assert "plots" in uploaded(repository.outputs.results.read_bytes())
