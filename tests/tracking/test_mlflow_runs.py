"""What a study leaves in a real SQLite store."""

from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.tracking.conftest import all_runs, complete, only_study, tracking_config
from twotower.search.trial import Trial
from twotower.tracking.mlflow_runs import Ending, StudyRun, trial_metrics
from twotower.tracking.mlflow_store import store_uri
from twotower.tracking.tracked_study import TrackedStudy

STUDY = TrackedStudy(
    key="0123abcd",
    name="two-tower",
    objective="recall_at_10",
    store=tracking_config().mlflow,
    params={"sampler.type": "tpe"},
    tags={"twotower.data": "f00"},
    digests={"train": "abc123"},
    row_counts={"train": 700},
)
TRIALS = [complete(number) for number in range(4)]
FAILED = Trial(
    1, "FAIL", {"dim": 8}, "p", failure="the loss is not finite", started=1_000, finished=2_000
)


def history(root: Path, number: int, metric: str) -> list[tuple[int, float]]:
    """Steps and values of a trial's metric."""
    client = MlflowClient(tracking_uri=store_uri(None, root))
    run_id = only_study(root)[1][number].info.run_id
    return [(point.step, point.value) for point in client.get_metric_history(run_id, metric)]


def test_a_study_and_its_trials(root: Path) -> None:
    results = root / "hpo_results.json"
    results.write_text("{}\n", encoding="utf-8")
    folder = root / "plots"
    folder.mkdir()
    (folder / "history.html").write_text("<html>", encoding="utf-8")
    best = {"number": 2, "value": 0.3, "metrics": {"mrr": 0.1}}
    ending = Ending.with_results({"n_trials": 2, "best_trial": best}, [results, folder])
    StudyRun(STUDY, root).publish([complete(0), FAILED], ending)

    study, trials = only_study(root)
    assert study.info.status == "FINISHED"
    assert study.info.run_name == "two-tower"
    assert study.data.params == {"sampler.type": "tpe"}
    assert study.data.tags["twotower.data"] == "f00"
    (used,) = study.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("train", "abc123")
    assert used.dataset.profile == '{"num_rows": 700}'
    assert [(tag.key, tag.value) for tag in used.tags] == [("mlflow.data.context", "training")]
    assert study.data.metrics == {"n_trials": 2, "best_trial": 2, "best_value": 0.3, "mrr": 0.1}
    uploaded = root / "mlruns" / study.info.run_id / "artifacts"
    assert (uploaded / "hpo_results.json").read_text(encoding="utf-8") == "{}\n"
    assert (uploaded / "plots" / "history.html").exists()

    good, bad = trials[0], trials[1]
    assert good.data.tags["mlflow.parentRunId"] == study.info.run_id
    assert good.data.params == {"batch_size": "128", "dim": "8", "epochs": "3", "lr": "0.01"}
    assert good.data.metrics["recall_at_10"] == good.data.metrics["objective"] == 0.0
    assert (good.info.status, good.info.start_time, good.info.end_time) == ("FINISHED", 1000, 2000)
    assert bad.info.status == "FAILED"
    assert bad.data.tags["twotower.failure"] == "the loss is not finite"
    assert "objective" not in bad.data.metrics


def test_epochs_are_the_steps_of_a_series(root: Path) -> None:
    trial = replace(complete(0), intermediate={1: 0.2, 2: 0.3})
    StudyRun(STUDY, root).publish([trial])
    assert history(root, 0, "epoch/loss") == [(1, 2.0), (2, 1.0)]
    assert history(root, 0, "epoch/recall_at_10") == [(1, 0.2), (2, 0.3)]


def test_a_trial_without_times_is_of_the_year_2000(root: Path) -> None:
    StudyRun(STUDY, root).publish([complete(0).without_times()])
    info = only_study(root)[1][0].info
    assert info.start_time == info.end_time == 946_684_800_000


def test_a_grown_study_goes_on_in_the_same_run(root: Path) -> None:
    for count in (2, 2, 4):
        ending = Ending("FINISHED", {"n_trials": count})
        StudyRun(STUDY, root).publish(TRIALS[:count], ending)
    study, trials = only_study(root)
    assert study.data.metrics == {"n_trials": 4.0}
    assert sorted(trials) == [0, 1, 2, 3]


def test_another_study_is_another_run(root: Path) -> None:
    StudyRun(STUDY, root)
    StudyRun(replace(STUDY, key="4567"), root)
    assert len(all_runs(root)[0]) == 2


def test_a_trial_that_was_cut_off_is_completed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cut_off(*_: object) -> None:
        raise ConnectionError("cut off")

    run = StudyRun(STUDY, root)
    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, "set_terminated", cut_off)
        with pytest.raises(ConnectionError):
            run.publish([complete(0)])
    assert run.logged == set()
    StudyRun(STUDY, root).publish([complete(0)])
    assert only_study(root)[1][0].info.status == "FINISHED"
    assert len(history(root, 0, "epoch/loss")) == 2


def test_duplicate_runs_become_one(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As after requests that were carried out although their responses got lost."""
    StudyRun(STUDY, root).publish(TRIALS[:1])
    with monkeypatch.context() as patched:
        patched.setattr(StudyRun, "_runs", lambda _: iter(()))
        twin = StudyRun(STUDY, root)
    twin.publish(TRIALS[:2])
    assert StudyRun(STUDY, root).logged == {0, 1}
    study, trials = only_study(root)
    assert sorted(trials) == [0, 1]
    parents = {trial.data.tags["mlflow.parentRunId"] for trial in trials.values()}
    assert parents == {study.info.run_id}


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (ValueError("none of 1 trials completed"), "FAILED", "none of 1 trials completed"),
        (KeyboardInterrupt(), "KILLED", "KeyboardInterrupt"),
    ],
)
def test_a_search_without_results_is_failed_or_killed(
    root: Path, error: BaseException, status: str, reason: str
) -> None:
    StudyRun(STUDY, root).publish([FAILED], Ending.without_results(error))
    study, trials = only_study(root)
    assert study.info.status == status
    assert study.data.tags["twotower.failure"] == reason
    assert sorted(trials) == [1]


def test_only_a_running_search_can_end_without_results(root: Path) -> None:
    StudyRun(STUDY, root).publish([], Ending("FINISHED"))
    StudyRun(STUDY, root).publish([], Ending("KILLED"))
    assert only_study(root)[0].info.status == "FINISHED"
    run = StudyRun(STUDY, root)
    run.show_running()
    run.publish([], Ending("KILLED"))
    assert only_study(root)[0].info.status == "KILLED"


def test_more_metrics_than_one_request_takes(root: Path) -> None:
    losses = [float(epoch) for epoch in range(700)]
    objective = dict.fromkeys(range(1, 701), 0.1)
    trial = replace(complete(0), metrics={}, losses=losses, intermediate=objective)
    assert len(trial_metrics(trial, "recall_at_10")) == 1401
    StudyRun(STUDY, root).publish([trial])
    assert only_study(root)[1][0].data.metrics["epoch/loss"] == 699


def test_more_params_than_one_request_takes(root: Path) -> None:
    params = {f"model.p{number}": str(number) for number in range(130)}
    StudyRun(replace(STUDY, params=params), root)
    assert only_study(root)[0].data.params == params


def test_every_page_of_trials_is_read(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    StudyRun(STUDY, root).publish(TRIALS[:3])
    search_runs = MlflowClient.search_runs

    def one_a_page(self: MlflowClient, *arguments: str, page_token: str | None) -> object:
        return search_runs(self, *arguments, max_results=1, page_token=page_token)

    with monkeypatch.context() as patched:
        patched.setattr(MlflowClient, "search_runs", one_a_page)
        assert StudyRun(STUDY, root).logged == {0, 1, 2}
