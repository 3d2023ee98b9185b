"""From tracked trials to a served model and back, as the docs tell a user."""

import getpass
import json
import math
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from tests.pipeline.commands import twotower
from tests.pipeline.project import Project, in_one_process
from tests.pipeline.servers import Server, free_port, post, running
from twotower.common.files import sealed

TRIALS = 12
"""Enough that the server is killed when one is logged, long before the last begins."""
USER, NOBODY = "007", "999"


@contextmanager
def tracking_server(project: Project, port: int) -> Iterator[Server]:
    store = f"sqlite:///{project.path('server.db').as_posix()}"
    files = project.path("server-artifacts").as_uri()
    where = ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command = ["mlflow", "server", "--backend-store-uri", store, "--artifacts-destination", files]
    with running(project, *command, *where, port=port, path="/health") as server:
        yield server


@contextmanager
def model_server(project: Project, uri: str, port: int) -> Iterator[Server]:
    command = ["mlflow", "models", "serve", "--model-uri", "models:/two-tower@champion"]
    where = ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    with running(project, *command, *where, port=port, path="/ping", store=uri) as server:
        yield server


def runs(uri: str) -> tuple[list[Run], dict[int, Run]]:
    """Runs of the search and of its trials, as MLflow's API lists them."""
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("two-tower")
    found = client.search_runs([experiment.experiment_id]) if experiment else []
    trials = [run for run in found if "twotower.trial" in run.data.tags]
    numbered = {int(run.data.tags["twotower.trial"]): run for run in trials}
    assert len(numbered) == len(trials)
    parents = [run for run in found if "twotower.search" in run.data.tags and run not in trials]
    return parents, numbered


@pytest.fixture(autouse=True)
def _patient_environment() -> Iterator[None]:
    with mock.patch.dict(os.environ, {"MLFLOW_DISABLE_TELEMETRY": "true"}):
        yield


@pytest.mark.timeout(1800)
def test_from_tracked_trials_to_a_served_model(unsearched: Project, empty_mlflow: Path) -> None:
    project, port = unsearched, free_port()
    shutil.copy(empty_mlflow, project.path("server.db"))
    uri = f"http://127.0.0.1:{port}"
    for key, value in {
        "mlflow.enabled": True,
        "mlflow.tracking_uri": uri,
        "hpo.n_trials": TRIALS,
        "refit.seeds": 1,
    }.items():
        project.set(key, value)

    _searched_while_the_server_dies(project, uri, port)

    with tracking_server(project, port):
        _synced(project, uri)
        _registered_and_promoted(project, uri)
        _served(project, uri)
        _worse_model_is_refused(project, uri)


def _searched_while_the_server_dies(project: Project, uri: str, port: int) -> None:
    with tracking_server(project, port) as server:
        pipeline = project.start(*in_one_process("hpo", "refit", "visualize"))
        while not project.live_trials():  # costs less to ask than the server
            assert pipeline.poll() is None, pipeline.communicate()[0]
            time.sleep(0.05)
        while len(runs(uri)[1]) < 2:  # the first is there, whole
            assert pipeline.poll() is None, pipeline.communicate()[0]
            time.sleep(0.05)
        server.kill()
    output, _ = pipeline.communicate()
    assert pipeline.returncode == 0, output
    project.dvc("commit", "--force", "--quiet")  # which scores and plots are of this search
    assert "cannot log to MLflow; the search continues and keeps every trial" in output
    lacking = re.search(r"MLflow is missing (\d+) trials?; once the server is back", output)
    assert lacking is not None, output
    assert 0 < int(lacking[1]) < TRIALS
    assert "MLflow is missing the test scores" in output
    assert "MLflow is missing the plots" in output
    assert json.loads(project.read("hpo_results.json"))["n_trials"] == TRIALS


def _synced(project: Project, uri: str) -> None:
    there = {n for n, run in runs(uri)[1].items() if run.info.status == "FINISHED"}  # whole
    output = twotower(project, "tracking", "sync")
    assert f"logged {TRIALS - len(there)} of {TRIALS} trials to experiment two-tower" in output
    (search,), trials = runs(uri)
    assert sorted(trials) == list(range(TRIALS))
    assert there <= set(trials)
    assert search.info.status == "FINISHED"
    best = json.loads(project.read("hpo_results.json"))["best_trial"]
    assert search.data.metrics["best_value"] == best["value"]
    winner = trials[best["number"]]
    assert winner.data.tags["mlflow.parentRunId"] == search.info.run_id
    assert winner.data.tags["twotower.state"] == "COMPLETE"
    assert winner.data.params["epochs"] == str(best["params"]["epochs"])
    assert winner.data.metrics["recall_at_10"] == best["value"]
    assert [n for n, run in trials.items() if "twotower.best" in run.data.tags] == [best["number"]]
    assert search.data.params["lr"] == winner.data.params["lr"]
    assert search.info.user_id == winner.info.user_id == getpass.getuser()
    tested = json.loads(project.read("metrics/test.json"))["optimized"]["recall_at_10"]
    assert search.data.metrics["test/recall_at_10"] == tested
    verdict = json.loads(project.read("metrics/verdict.json"))["sentence"]
    assert search.data.tags["twotower.verdict"] == verdict
    client = MlflowClient(uri)
    curve = client.get_metric_history(search.info.run_id, "best_so_far")
    assert sorted(point.step for point in curve) == list(range(TRIALS))
    uploaded = {file.path for file in client.list_artifacts(search.info.run_id)}
    assert {"hpo_results.json", "hpo_trials.csv", "plots", "test"} <= uploaded
    plots = {file.path for file in client.list_artifacts(search.info.run_id, "plots")}
    assert {path for path in plots if not path.endswith(".html")} == set()
    losses = client.get_metric_history(winner.info.run_id, "epoch/loss")
    assert [loss.step for loss in losses] == list(range(1, best["params"]["epochs"] + 1))
    assert search.data.tags["mlflow.source.git.commit"] == project.git("rev-parse", "HEAD").strip()
    inputs = {entry.dataset.name: entry.dataset.schema for entry in search.inputs.dataset_inputs}
    assert inputs.keys() == {"train", "validation"}
    assert all("item_id" in schema for schema in inputs.values())


def _registered_and_promoted(project: Project, uri: str) -> None:
    twotower(project, "registry", "register")
    (version,) = MlflowClient(uri).search_model_versions("name = 'two-tower'")
    metrics = MlflowClient(uri).get_run(version.run_id).data.metrics
    tested = json.loads(project.read("metrics/test.json"))["optimized"]["recall_at_10"]
    assert math.isclose(metrics["test/optimized/recall_at_10"], tested)
    output = twotower(project, "registry", "promote")
    assert "version 1 of two-tower is the champion: it is the first" in output


def _served(project: Project, uri: str) -> None:
    with model_server(project, uri, free_port()) as server:
        users = {"dataframe_records": [{"user_id": USER}, {"user_id": NOBODY}]}
        status, answer = post(f"{server.url}/invocations", users | {"params": {"k": 3}})
        assert status == 200, answer
        known, unknown = answer["predictions"]
        assert (known["user_id"], known["source"]) == (USER, "model")
        assert (unknown["user_id"], unknown["source"]) == (NOBODY, "popularity")
        assert known["items"] == _items_of(project.path(".artifacts_best"), USER, 3)
        assert known["scores"] == sorted(known["scores"], reverse=True)
        assert len(set(unknown["items"])) == 3
        status, answer = post(f"{server.url}/invocations", users | {"params": {"k": 0}})
        assert status == 400
        assert "k must be an integer of at least 1" in answer["message"]


def _items_of(folder: Path, user: str, k: int) -> list[int | str]:
    from twotower import Recommender

    return list(Recommender.load(folder, mmap=False).recommend([user], k).item_ids[0])


def _worse_model_is_refused(project: Project, uri: str) -> None:
    results = json.loads(project.read("hpo_results.json"))
    results["best_params"] |= {"lr": 0.0001, "epochs": 1}
    project.path("hpo_results.json").write_text(json.dumps(sealed(results)), encoding="utf-8")
    project.set("refit.score_test", False)  # the comparison scores it anyway
    project.stage("refit")
    twotower(project, "registry", "register")
    output = twotower(project, "registry", "promote", status=3)
    assert "version 2 of two-tower stays a candidate: it does not beat version 1" in output
    client = MlflowClient(uri)
    versions = [
        client.get_model_version_by_alias("two-tower", a) for a in ("candidate", "champion")
    ]
    assert [int(version.version) for version in versions] == [2, 1]
