"""What a study leaves in a real SQLite store."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.tracking.conftest import all_runs, complete, only_study, tracking_config
from twotower.search.trial import Trial
from twotower.tracking.ending import Ending
from twotower.tracking.entities import trial_metrics
from twotower.tracking.held_out_scores import HeldOutScores
from twotower.tracking.mlflow_runs import StudyRun
from twotower.tracking.mlflow_store import store_uri
from twotower.tracking.tracked_study import TrackedStudy

STUDY = TrackedStudy(
    key="0123abcd",
    name="two-tower",
    objective="recall_at_10",
    store=tracking_config().mlflow,
    params={"sampler.type": "tpe"},
    defaults={"lr": "0.003", "loss": "softmax"},
    tags={"twotower.data": "f00"},
    digests={"train": "abc123"},
    row_counts={"train": 700},
    columns={"train": {"user_id": "large_string", "timestamp": "int64", "weight": "float"}},
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
    found = {"n_trials": 2, "best_trial": best, "best_params": {"lr": 0.01, "hidden": [8]}}
    ending = Ending.with_results(found, [results, folder])
    StudyRun(STUDY, root).publish([complete(0), FAILED], ending)

    study, trials = only_study(root)
    assert study.info.status == "FINISHED"
    assert study.info.run_name == "two-tower"
    assert study.data.params == {
        "sampler.type": "tpe", "lr": "0.01", "hidden": "[8]", "loss": "softmax"
    }  # fmt: skip
    assert study.data.tags["twotower.data"] == "f00"
    (used,) = study.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("train", "abc123")
    assert used.dataset.profile == '{"num_rows": 700}'
    schema = json.loads(used.dataset.schema)["mlflow_colspec"]
    assert [(column["name"], column["type"]) for column in schema] == [
        ("user_id", "string"), ("timestamp", "long"), ("weight", "float")
    ]  # fmt: skip
    assert [(tag.key, tag.value) for tag in used.tags] == [("mlflow.data.context", "training")]
    numbers = {"n_trials": 2, "best_trial": 2, "best_value": 0.3, "mrr": 0.1}
    assert study.data.metrics == numbers | {"best_so_far": 0.0}
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
    assert study.data.metrics == {"n_trials": 4.0, "best_so_far": complete(3).value}
    assert sorted(trials) == [0, 1, 2, 3]


def study_history(root: Path, metric: str) -> list[tuple[int, float]]:
    client = MlflowClient(tracking_uri=store_uri(None, root))
    points = client.get_metric_history(only_study(root)[0].info.run_id, metric)
    return sorted((point.step, point.value) for point in points)


def test_the_best_so_far_is_a_curve_over_the_trials(root: Path) -> None:
    def scored(number: int, value: float | None) -> Trial:
        state = "COMPLETE" if value is not None else "FAIL"
        return replace(complete(number), state=state, value=value, finished=1_000 + number)

    values = [None, 0.2, 0.1, None, 0.4, 0.3]
    trials = [scored(number, value) for number, value in enumerate(values)]
    run = StudyRun(STUDY, root)
    run.publish([trials[0], trials[1], trials[4]])  # 2 and 3 still run
    assert study_history(root, "best_so_far") == [(1, 0.2)]
    run.publish([*trials[:2], trials[4], trials[3], trials[2]])
    StudyRun(STUDY, root).publish(trials)
    curve = [(1, 0.2), (2, 0.2), (3, 0.2), (4, 0.4), (5, 0.4)]
    assert study_history(root, "best_so_far") == curve


def test_a_search_that_grows_has_the_parameters_of_its_new_best(root: Path) -> None:
    def ending(best: int, **params: object) -> Ending:
        numbers = {"best_trial": best, "best_value": 0.1 * best}
        return Ending("FINISHED", numbers, best=best, params=params)

    client = MlflowClient(tracking_uri=store_uri(None, root))
    StudyRun(STUDY, root).publish(TRIALS[:2], ending(1, lr=0.01, ridge_penalty=0.3))
    first = only_study(root)[0].info.run_id
    client.set_tag(first, "mlflow.note.content", "mine")
    StudyRun(STUDY, root).publish(TRIALS[:3], ending(1, lr=0.01, ridge_penalty=0.3))
    assert only_study(root)[0].info.run_id == first
    StudyRun(STUDY, root).publish(TRIALS, ending(3, lr=0.02))
    study, trials = only_study(root)
    assert study.info.run_id != first
    assert study.data.params == {"sampler.type": "tpe", "loss": "softmax", "lr": "0.02"}
    assert (study.data.tags["mlflow.note.content"], study.info.run_name) == ("mine", "two-tower")
    assert {run.data.tags["mlflow.parentRunId"] for run in trials.values()} == {study.info.run_id}
    assert [n for n, run in trials.items() if "twotower.best" in run.data.tags] == [3]
    assert [step for step, _ in study_history(root, "best_so_far")] == [0, 1, 2, 3]


def test_the_user_is_who_ran_the_search(root: Path) -> None:
    searched = replace(STUDY, tags={"mlflow.user": "ana"})
    StudyRun(searched, root).publish(TRIALS[:1])
    StudyRun(replace(STUDY, tags={"mlflow.user": "ben"}), root)
    study, trials = only_study(root)
    assert study.info.user_id == study.data.tags["mlflow.user"] == "ana"
    assert trials[0].info.user_id == "ana"


def test_scores_on_the_test_split_join_the_run(root: Path) -> None:
    file = root / "verdict.json"
    file.write_text("{}", encoding="utf-8")
    for value in (0.25, 0.25, 0.125):  # refit has run, sync has, and then another refit
        StudyRun(STUDY, root).add_scores(HeldOutScores({"test/mrr": value}, "beats all", [file]))
    study, _ = only_study(root)
    assert study.data.metrics == {"test/mrr": 0.125}
    assert [value for _, value in study_history(root, "test/mrr")] == [0.125, 0.25]
    assert study.data.tags["twotower.verdict"] == "beats all"
    assert study.data.tags["mlflow.note.content"] == "Test split: beats all."  # no best trial yet
    assert (root / "mlruns" / study.info.run_id / "artifacts" / "test" / "verdict.json").exists()


def test_the_description_says_what_was_found_unless_somebody_wrote_it(root: Path) -> None:
    def description() -> str | None:
        return only_study(root)[0].data.tags.get("mlflow.note.content")

    ending = Ending("FINISHED", {"best_trial": 1, "best_value": 0.1}, best=1, params={"lr": 0.01})
    StudyRun(STUDY, root).publish(TRIALS[:2], ending)
    best = (
        "Best: trial 1, recall_at_10 0.1000 on the validation split,"
        " with batch_size 128, dim 8, epochs 3, lr 0.01."
    )
    assert description() == best
    StudyRun(STUDY, root).add_scores(HeldOutScores({}, "beats every baseline", []))
    assert description() == f"{best}\n\nTest split: beats every baseline."
    client = MlflowClient(tracking_uri=store_uri(None, root))
    client.set_tag(only_study(root)[0].info.run_id, "mlflow.note.content", "mine")
    StudyRun(STUDY, root).publish(TRIALS[:2], ending)
    assert description() == "mine"


def test_the_description_has_every_objective(root: Path) -> None:
    study = replace(STUDY, further_objectives=("gini_at_10", "mrr"))
    found = {"best_trial": 1, "best_value": 0.1, "gini_at_10": 0.4, "mrr": 0.2}
    ending = Ending("FINISHED", found, best=1, params={"lr": 0.01})
    StudyRun(study, root).publish(TRIALS[:2], ending)
    assert only_study(root)[0].data.tags["mlflow.note.content"] == (
        "Chosen from the Pareto front: trial 1, recall_at_10 0.1000, gini_at_10 0.4000, "
        "mrr 0.2000 on the validation split, with batch_size 128, dim 8, epochs 3, lr 0.01."
    )


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
