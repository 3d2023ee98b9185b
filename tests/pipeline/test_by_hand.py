"""`python stages/hpo.py` by hand: each flag does what --help says."""

import json
import re
import runpy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest

from tests.pipeline.project import N_TRIALS, Project, write_shop

FailedStage = Callable[..., tuple[Any, list[str]]]


def test_by_hand_and_in_steps_gives_the_bytes_of_dvc(
    unsearched: Project, finished: Project
) -> None:
    output = unsearched.stage("hpo", "--timeout", "0.01")
    cut = json.loads(unsearched.read("hpo_results.json"))
    assert cut["n_trials"] < N_TRIALS
    assert cut["complete"] is False
    assert "the time budget ran out" in output
    missing = N_TRIALS - cut["n_trials"]
    output = unsearched.stage("hpo", "--add-trials", str(missing))
    assert f"{cut['n_trials']} of {N_TRIALS} trials are done, {missing} to run" in output
    names = finished.outputs("hpo")
    assert unsearched.digests(*names) == finished.digests(*names)


def test_data_root_is_prepared_first_and_the_snapshot_has_the_study_name(project: Project) -> None:
    write_shop(project.path("data/other"), num_users=20)
    snapshot = "sqlite:///hpo_study.db"
    project.set("hpo.storage", "sqlite:///elsewhere.db")  # which the flag overrides
    arguments = ["--data-root", "data/other", "--storage", snapshot, "--study-name", "other-shop"]
    output = project.stage("hpo", "--n-trials", "2", *arguments)
    assert re.search(r"^  train: \d+ rows, 20 users", output, re.MULTILINE)
    assert json.loads(project.read("metrics/data.json"))["users"]["total"] == 20
    url = f"sqlite:///{project.path('hpo_study.db').as_posix()}"
    assert len(optuna.load_study(study_name="other-shop", storage=url).trials) == 2
    assert len(list(project.root.glob(".hpo/*/*/study.db"))) == 2
    assert not project.path("elsewhere.db").exists()


def test_storage_and_mlflow_hold_the_trials_and_change_no_byte(
    unsearched: Project, finished: Project, empty_mlflow: Path
) -> None:
    shutil.copy(empty_mlflow, unsearched.path("mlflow.db"))
    url = f"sqlite:///{unsearched.path('live.db').as_posix()}"
    tracking = ["--mlflow-tracking", "--experiment-name", "shop"]
    unsearched.stage("hpo", "--storage", url, *tracking)
    unsearched.run("twotower", "tracking", "sync")  # should the search have left trials out
    names = finished.outputs("hpo")
    assert unsearched.digests(*names) == finished.digests(*names)
    (live,) = optuna.get_all_study_summaries(storage=url)
    values = [trial.value for trial in optuna.load_study(study_name=None, storage=url).trials]
    assert live.n_trials == len(values) == N_TRIALS
    assert sorted(_logged_values(unsearched.path("mlflow.db"), "shop")) == sorted(values)


def _logged_values(database: Path, name: str) -> list[float]:
    """The objective of every trial that MLflow shows."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{database.as_posix()}")
    experiment = client.get_experiment_by_name(name)
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    children = [run for run in runs if "mlflow.parentRunId" in run.data.tags]
    assert len(children) == len(runs) - 1
    return [run.data.metrics["objective"] for run in children]


@pytest.fixture
def failed_stage(
    project: Project, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> FailedStage:
    """Runs a stage, in this process to save time; gives exit status and lines of the errors."""

    def run(stage: str, *arguments: str) -> tuple[Any, list[str]]:
        script = f"stages/{stage}.py"
        monkeypatch.chdir(project.root)
        monkeypatch.setattr("sys.argv", [script, *arguments])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(script, run_name="__main__")
        return ended.value.code, capfd.readouterr().err.splitlines()

    return run


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--n-trials", "many"], "argument --n-trials: invalid int value: 'many'"),
        (["--n-trials", "5", "--add-trials", "1"], "not allowed with argument"),
        (["--add-trials", "-1"], "--add-trials: must be at least 1"),
    ],
)
def test_an_unusable_flag_is_shown_with_the_usage(
    failed_stage: FailedStage, arguments: list[str], message: str
) -> None:
    status, lines = failed_stage("hpo", *arguments)
    assert status == 2
    assert lines[0].startswith("usage: hpo.py")
    assert message in lines[-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--n-trials", "0"], "params.yaml: hpo.n_trials: "),
        (["--timeout", "-1"], "params.yaml: hpo.timeout: "),
        (["--study-name", "a b"], "params.yaml: hpo.study_name: "),
        (["--data-root", "nowhere"], "nowhere"),
        (["--storage", "nonsense"], "hpo.storage: not a database URL"),
    ],
)
def test_a_wrong_value_is_one_line(
    failed_stage: FailedStage, arguments: list[str], message: str
) -> None:
    status, (line,) = failed_stage("hpo", *arguments)
    assert status == 1
    assert line.startswith("error: ")
    assert message in line


@pytest.mark.parametrize("stage", ["prepare", "hpo", "refit", "visualize"])
def test_a_mistake_in_the_parameters_is_one_line(
    project: Project, failed_stage: FailedStage, stage: str
) -> None:
    project.set("hpo.search_space.dim.high", "wide")
    status, (line,) = failed_stage(stage)
    assert status == 1
    assert line.startswith("error: params.yaml: hpo.search_space.dim.high: ")
