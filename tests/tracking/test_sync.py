"""What MLflow lacks after a search is logged later, once."""

import hashlib
import json
import re
import shutil
from pathlib import Path
from unittest import mock

import pytest
from filelock import FileLock
from mlflow import MlflowClient

from tests.tracking.conftest import Repository, all_runs, only_study, tracking_config
from twotower.common.errors import SearchError, TrackingError
from twotower.search.identity import Fingerprint, provenance
from twotower.tracking import describe_search
from twotower.tracking.mlflow_runs import COMMIT_TAG
from twotower.tracking.mlflow_store import store_uri
from twotower.tracking.sync import sync
from twotower.tracking.tracked_study import LOCK, NOTE


def test_a_killed_search_is_completed_without_duplicates(
    root: Path, repository: Repository
) -> None:
    repository.track(0, 2)
    assert repository.sync() == 2
    study, trials = only_study(root)
    assert sorted(trials) == repository.numbers
    assert study.info.status == "KILLED"
    assert trials[1].info.end_time == 2_000
    repository.finish()
    assert repository.sync() == 0
    study, trials = only_study(root)
    assert sorted(trials) == repository.numbers
    assert study.info.status == "FINISHED"
    assert study.data.metrics["best_value"] == 0.2
    assert "all 4 trials were already in experiment tests" in repository.lines[-1]


def test_identity_of_data_and_code(root: Path, repository: Repository) -> None:
    repository.track(0)
    study, _ = only_study(root)
    tags, identity = study.data.tags, repository.location.identity
    assert tags["twotower.identity"] == identity.digest
    assert tags["twotower.provenance"] == repository.location.provenance.digest
    assert len(tags["twotower.data"]) == 64
    assert len(tags["mlflow.source.git.commit"]) == 40  # of this checkout
    params = study.data.params
    assert params["space.dim"].startswith("IntDistribution")
    assert not {"lr", "train.lr"} & params.keys()  # before the best trial is known
    repository.finish()
    repository.sync()
    params = only_study(root)[0].data.params
    assert params["lr"] == "0.01" != str(tracking_config().train.lr)
    assert params["loss"] == tracking_config().train.loss  # an identity lacks defaults
    assert params["device"] == identity.values["train"]["device"] != "auto"
    datasets = {entry.dataset.name: entry.dataset for entry in study.inputs.dataset_inputs}
    assert sorted(datasets) == ["train", "validation"]
    assert json.loads(datasets["train"].profile) == {"num_rows": 700}


def test_a_study_that_was_not_tracked_is_left_alone(repository: Repository) -> None:
    assert repository.sync() == 0
    assert repository.lines == []


def test_the_snapshot_of_another_clone_is_logged(root: Path, repository: Repository) -> None:
    repository.snapshot(3)
    assert repository.sync() == 3
    assert sorted(only_study(root)[1]) == [0, 1, 2]
    repository.track(0, 1, 2, 4)  # the clone goes on itself: the same run
    assert sorted(only_study(root)[1]) == [0, 1, 2, 4]
    assert repository.sync() == 0


def test_trials_of_a_database_that_nobody_names_come_from_the_snapshot(
    root: Path, repository: Repository
) -> None:
    repository.snapshot(3)
    repository.track()
    (repository.location.folder / "study.db").unlink()
    assert repository.sync() == 4
    assert sorted(only_study(root)[1]) == repository.numbers


def test_a_study_that_cannot_be_read_keeps_no_other_trials_out_of_mlflow(
    root: Path, repository: Repository
) -> None:
    repository.snapshot(3)
    repository.track()
    (repository.location.folder / "study.db").write_bytes(b"no database" * 100)
    with pytest.raises(SearchError, match=r"study\.db"):
        repository.sync()
    assert sorted(only_study(root)[1]) == [0, 1, 2]


def test_a_damaged_file_of_a_trial_is_named_and_the_others_are_logged(
    repository: Repository,
) -> None:
    repository.track()
    [waiting] = (repository.location.folder / "trials").glob("*.json")
    waiting.write_text("{")
    assert repository.sync() == len(repository.numbers) - 1
    assert f"{waiting}: damaged: " in repository.lines[0]


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
        for run in all_runs(root)[0]
    }
    code = after.location.provenance.values["code"]
    assert status == {"of before": ("KILLED", False), code: ("FINISHED", True)}


def test_a_study_that_may_be_mixed_and_is_not_is_its_snapshots(root: Path) -> None:
    repository = Repository(root, mixed=True)
    repository.track()
    repository.snapshot(3)
    repository.finish()
    assert repository.sync() == 4
    study, trials = only_study(root)
    assert sorted(trials) == repository.numbers
    assert study.info.status == "FINISHED"


def test_a_running_search_logs_itself(repository: Repository) -> None:
    repository.track()
    with FileLock(repository.location.folder / LOCK):
        assert repository.sync() == 0
    (line,) = repository.lines
    assert re.fullmatch(
        r"sample two-tower \d{4}-\d\d-\d\d \d\d:\d\d: skipped, as a running search logs it", line
    )


def test_a_server_that_is_still_down_is_one_error(root: Path, repository: Repository) -> None:
    repository.track(0)
    with pytest.raises(TrackingError, match="cannot log to MLflow"):
        sync(
            tracking_config(),
            root,
            repository.lines.append,
            tracking_config(tracking_uri="http://127.0.0.1:9").mlflow,
            repository.outputs,
        )


def test_the_code_is_that_of_the_search_and_not_of_the_sync(
    root: Path, repository: Repository
) -> None:
    repository.snapshot(3)
    repository.sync()
    assert COMMIT_TAG not in only_study(root)[0].data.tags  # nobody knows it
    with mock.patch.object(describe_search, "git_tags", return_value={COMMIT_TAG: "first"}):
        repository.track(0)
    with mock.patch.object(describe_search, "git_tags", return_value={COMMIT_TAG: "later"}):
        repository.track(0)
    repository.sync()
    assert only_study(root)[0].data.tags[COMMIT_TAG] == "first"


def test_the_store_of_the_environment_is_remembered_without_credentials(
    root: Path, empty_mlflow: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(empty_mlflow, root / "other.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///other.db")
    repository.track(0)
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    assert repository.sync() == 3
    assert "to experiment tests at sqlite:///" in repository.lines[-1]
    assert repository.lines[-1].endswith("other.db")
    assert MlflowClient(tracking_uri=store_uri(None, root)).get_experiment_by_name("tests") is None

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    repository.track()
    note = (repository.location.folder / NOTE).read_text(encoding="utf-8")
    assert "127.0.0.1:9" in note
    assert "secret" not in note


def test_plots_and_scores_of_another_search_stay(
    root: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    (root / "plots").mkdir()
    (root / "plots" / "hpo_history.html").write_text("drawn")
    (root / "metrics").mkdir()
    (root / "metrics" / "test.json").write_text('{"optimized": {"mrr": 0.5}, "scored": true}')
    (root / "metrics" / "verdict.json").write_text('{"objective": "mrr", "sentence": "good"}')
    repository.track()
    repository.finish()
    client = MlflowClient(tracking_uri=store_uri(None, root))

    def uploaded(results_drawn: bytes) -> set[str]:
        digest = hashlib.md5(results_drawn, usedforsecurity=False).hexdigest()
        deps = [{"path": "hpo_results.json", "md5": digest}]
        lock = {"stages": {"visualize": {"deps": deps}, "refit": {"deps": deps}}}
        (root / "dvc.lock").write_text(json.dumps(lock))
        repository.sync()
        return {file.path for file in client.list_artifacts(only_study(root)[0].info.run_id)}

    assert not {"plots", "test"} & uploaded(b"of another search")
    assert {"plots", "test"} <= uploaded(repository.outputs.results.read_bytes())
    assert only_study(root)[0].data.metrics["test/mrr"] == 0.5
    assert only_study(root)[0].data.tags["twotower.verdict"] == "good"
