"""What a search leaves in a real SQLite store."""

import subprocess
import sys
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from twotower.common.paths import repository_root
from twotower.config.outputs import MlflowConfig
from twotower.tracking import FinishedTrial, SearchInfo, start_tracker
from twotower.tracking.mlflow_run import SearchRun, trial_metrics
from twotower.tracking.records import TrackedDataset
from twotower.tracking.store import store_uri

CONFIG = MlflowConfig(enabled=True, experiment="tests")
DATA = TrackedDataset("train", "abc123", "training", "data/prepared/train.parquet", 700)
SEARCH = SearchInfo(
    "0123abcd", "two-tower", {"sampler.type": "tpe"}, {"twotower.data": "f00"}, [DATA]
)
PARAMS = {"dim": 8, "lr": 0.01, "loss": "softmax"}
EPOCHS = ({"loss": 2.0, "recall_at_10": 0.2}, {"loss": 1.0, "recall_at_10": 0.3})


def complete(number: int) -> FinishedTrial:
    metrics = {"recall_at_10": 0.3}
    return FinishedTrial(number, "COMPLETE", PARAMS, 0.3, metrics, EPOCHS, 1_000, 2_000)


def failed(number: int) -> FinishedTrial:
    reason = "the loss is not finite"
    return FinishedTrial(number, "FAIL", PARAMS, None, {}, (), 1_000, 2_000, failure=reason)


def stored(root: Path) -> tuple[list[Run], dict[int, Run]]:
    """Runs of searches, and runs of trials by number."""
    client = MlflowClient(tracking_uri=store_uri(None, root))
    experiment = client.get_experiment_by_name("tests")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    searches = [run for run in runs if "twotower.trial" not in run.data.tags]
    trials = [run for run in runs if "twotower.trial" in run.data.tags]
    numbered = {int(run.data.tags["twotower.trial"]): run for run in trials}
    assert len(searches) + len(numbered) == len(runs)
    return searches, numbered


def test_a_new_store_is_made_without_a_word(tmp_path: Path) -> None:
    code = """
from pathlib import Path
from twotower.common.paths import repository_root
from twotower.config.outputs import MlflowConfig
from twotower.tracking import FinishedTrial, SearchInfo, start_tracker
tracker = start_tracker(MlflowConfig(enabled=True), Path("."), SearchInfo("0123", "study"))
tracker.trial(FinishedTrial(0, "COMPLETE", {"dim": 8}, 0.5, {}, [], 0, 1))
tracker.close([], {})
"""
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, check=True, cwd=tmp_path, capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("", "")
    assert (tmp_path / "mlflow.db").exists()


def test_a_search_and_its_trials(root: Path) -> None:
    report = root / "hpo_results.json"
    report.write_text("{}\n", encoding="utf-8")
    folder = root / "plots"
    folder.mkdir()
    (folder / "history.html").write_text("<html>", encoding="utf-8")
    tracker = start_tracker(CONFIG, root, SEARCH)
    tracker.trial(complete(0))
    tracker.trial(failed(1))
    tracker.close([report, folder], {"best_value": 0.3})

    searches, trials = stored(root)
    (search,) = searches
    assert search.info.status == "FINISHED"
    assert search.info.run_name == "two-tower"
    assert search.data.params == {"sampler.type": "tpe"}
    assert search.data.tags["twotower.data"] == "f00"
    (used,) = search.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("train", "abc123")
    assert [(tag.key, tag.value) for tag in used.tags] == [("mlflow.data.context", "training")]
    assert search.data.metrics == {"best_value": 0.3}
    uploaded = root / "mlruns" / search.info.run_id / "artifacts"
    assert (uploaded / "hpo_results.json").read_text(encoding="utf-8") == "{}\n"
    assert (uploaded / "plots" / "history.html").exists()

    good, bad = trials[0], trials[1]
    assert good.data.tags["mlflow.parentRunId"] == search.info.run_id
    assert good.data.params == {"dim": "8", "lr": "0.01", "loss": "softmax"}
    assert good.data.metrics["recall_at_10"] == 0.3
    assert good.data.metrics["objective"] == 0.3
    assert (good.info.status, good.info.start_time, good.info.end_time) == ("FINISHED", 1000, 2000)
    assert bad.info.status == "FAILED"
    assert bad.data.tags["twotower.failure"] == "the loss is not finite"
    assert "objective" not in bad.data.metrics


def test_epochs_are_the_steps_of_a_series(root: Path) -> None:
    SearchRun(CONFIG, root, SEARCH).log_trial(complete(0))
    _, trials = stored(root)
    client = MlflowClient(tracking_uri=store_uri(None, root))
    history = client.get_metric_history(trials[0].info.run_id, "epoch/loss")
    assert [(metric.step, metric.value) for metric in history] == [(1, 2.0), (2, 1.0)]


def test_a_grown_study_goes_on_in_the_same_run(root: Path) -> None:
    for count in (2, 2, 4):
        tracker = start_tracker(CONFIG, root, SEARCH)
        for number in range(count):
            tracker.trial(complete(number))
        tracker.close([], {"trials": count})
    searches, trials = stored(root)
    assert [run.data.metrics for run in searches] == [{"trials": 4.0}]
    assert sorted(trials) == [0, 1, 2, 3]


def test_another_study_is_another_run(root: Path) -> None:
    SearchRun(CONFIG, root, SEARCH)
    SearchRun(CONFIG, root, SearchInfo("4567", "two-tower"))
    searches, _ = stored(root)
    assert len(searches) == 2


def test_a_trial_that_was_cut_off_is_completed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut_off(*_: object) -> None:
        raise ConnectionError("cut off")

    run = SearchRun(CONFIG, root, SEARCH)
    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, "set_terminated", cut_off)
        with pytest.raises(ConnectionError):
            run.log_trial(complete(0))
    SearchRun(CONFIG, root, SEARCH).log_trial(complete(0))
    _, trials = stored(root)
    assert trials[0].info.status == "FINISHED"
    client = MlflowClient(tracking_uri=store_uri(None, root))
    assert len(client.get_metric_history(trials[0].info.run_id, "epoch/loss")) == 2


def test_runs_that_are_there_twice_become_one(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after requests that were carried out although their answers got lost."""
    run = SearchRun(CONFIG, root, SEARCH)
    run.log_trial(complete(0))
    with monkeypatch.context() as patched:
        patched.setattr(SearchRun, "_runs", lambda _: iter(()))
        twin = SearchRun(CONFIG, root, SEARCH)
    twin.log_trial(complete(0))
    twin.log_trial(complete(1))
    again = SearchRun(CONFIG, root, SEARCH)
    assert again.num_logged == 2
    searches, trials = stored(root)
    assert len(searches) == 1
    assert sorted(trials) == [0, 1]
    parents = {trial.data.tags["mlflow.parentRunId"] for trial in trials.values()}
    assert parents == {searches[0].info.run_id}


def test_a_search_without_a_result_is_failed_or_killed(root: Path) -> None:
    for status, interrupted in (("FAILED", False), ("KILLED", True)):
        tracker = start_tracker(CONFIG, root, SEARCH)
        tracker.trial(failed(0))
        tracker.abort("none of 1 trials completed", interrupted=interrupted)
        searches, trials = stored(root)
        assert [search.info.status for search in searches] == [status]
        assert searches[0].data.tags["twotower.failure"] == "none of 1 trials completed"
        assert sorted(trials) == [0]


def test_a_finished_search_stays_finished(root: Path) -> None:
    run = SearchRun(CONFIG, root, SEARCH)
    run.finish([], {}, 0)
    SearchRun(CONFIG, root, SEARCH).stop("KILLED")
    searches, _ = stored(root)
    assert searches[0].info.status == "FINISHED"


def test_more_metrics_than_one_request_takes(root: Path) -> None:
    epochs = [{"loss": float(epoch), "recall_at_10": 0.1} for epoch in range(700)]
    trial = FinishedTrial(0, "COMPLETE", {}, 0.1, {}, epochs, 1_000, 2_000)
    assert len(trial_metrics(trial)) == 1401
    run = SearchRun(CONFIG, root, SEARCH)
    run.log_trial(trial)
    _, trials = stored(root)
    assert trials[0].data.metrics["epoch/loss"] == 699


def test_more_params_than_one_request_takes(root: Path) -> None:
    params = {f"model.p{number}": str(number) for number in range(130)}
    SearchRun(CONFIG, root, SearchInfo("89ab", "wide", params))
    searches, _ = stored(root)
    assert searches[0].data.params == params


def test_every_page_of_trials_is_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = SearchRun(CONFIG, root, SEARCH)
    for number in range(3):
        run.log_trial(complete(number))
    search_runs = MlflowClient.search_runs

    def one_a_page(self: MlflowClient, *arguments: str, page_token: str | None) -> object:
        return search_runs(self, *arguments, max_results=1, page_token=page_token)

    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, "search_runs", one_a_page)
        again = SearchRun(CONFIG, root, SEARCH)
    for number in range(3):
        again.log_trial(complete(number))
    _, trials = stored(root)
    assert sorted(trials) == [0, 1, 2]


@pytest.mark.parametrize(
    "uri", ["http://localhost:5000", "postgresql://host/db", "sqlite:////abs/mlflow.db"]
)
def test_other_stores_are_taken_as_they_are(uri: str, tmp_path: Path) -> None:
    assert store_uri(uri, tmp_path) == uri


def test_the_default_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    assert store_uri(None, repository_root()) == f"sqlite:///{(tmp_path / 'mlflow.db').as_posix()}"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://localhost:5000")
    assert store_uri(None, tmp_path) == "http://localhost:5000"
    assert store_uri("http://other:5000", tmp_path) == "http://other:5000"


def test_a_relative_store_lies_below_the_root(tmp_path: Path) -> None:
    expected = f"sqlite:///{(tmp_path / 'runs' / 'a.db').as_posix()}"
    assert store_uri("sqlite:///runs/a.db", tmp_path) == expected
