"""From tracked trials to a served model and back: what the docs tell a user to do."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from tests.pipeline.project import Project, id_of
from tests.pipeline.servers import Server, free_port, post, running

TRIALS = 30


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


def registry(project: Project, *arguments: str) -> tuple[int, str]:
    """Exit status and output of the registry's command."""
    process = project.start("python", "-m", "twotower.registry", *arguments)
    output, _ = process.communicate()
    return process.returncode, output


@pytest.fixture(autouse=True)
def _patient_environment() -> Iterator[None]:
    with mock.patch.dict(os.environ, {"MLFLOW_DISABLE_TELEMETRY": "true"}):
        yield


@pytest.mark.timeout(1800)
def test_from_tracked_trials_to_a_served_model(unsearched: Project) -> None:
    project, port = unsearched, free_port()
    uri = f"http://127.0.0.1:{port}"
    project.set("mlflow.enabled", True)
    project.set("mlflow.tracking_uri", uri)
    project.set("hpo.n_trials", TRIALS)

    with tracking_server(project, port) as server:
        search = project.start("dvc", "repro")
        while len(runs(uri)[1]) < 2:
            assert search.poll() is None, search.communicate()[0]
            time.sleep(0.05)
        server.kill()
    output, _ = search.communicate()
    assert search.returncode == 0, output
    assert "MLflow lacks" in output
    assert json.loads(project.read("hpo_results.json"))["n_trials"] == TRIALS

    with tracking_server(project, port):
        _synced(project, uri)
        _registered_and_promoted(project)
        _served(project, uri)
        _worse_model_is_refused(project, uri)


def _synced(project: Project, uri: str) -> None:
    output = project.run("python", "-m", "twotower.tracking", "sync")
    assert f"of {TRIALS} trials in experiment two-tower" in output
    (search,), trials = runs(uri)
    assert sorted(trials) == list(range(TRIALS))
    assert search.info.status == "FINISHED"
    client = MlflowClient(uri)
    uploaded = {file.path for file in client.list_artifacts(search.info.run_id)}
    assert {"hpo_results.json", "hpo_trials.csv", "plots"} <= uploaded


def _registered_and_promoted(project: Project) -> None:
    assert registry(project, "register")[0] == 0
    status, output = registry(project, "promote")
    assert status == 0, output
    assert "version 1 of two-tower is the champion: it is the first" in output


def _served(project: Project, uri: str) -> None:
    with model_server(project, uri, free_port()) as server:
        users = {"dataframe_records": [{"user_id": id_of(7)}, {"user_id": "nobody"}]}
        status, answer = post(f"{server.url}/invocations", users | {"params": {"k": 3}})
        assert status == 200, answer
        known, unknown = answer["predictions"]
        assert (known["user_id"], known["source"]) == (id_of(7), "model")
        assert (unknown["user_id"], unknown["source"]) == ("nobody", "popularity")
        assert known["items"] == _items_of(project.path(".artifacts_best"), id_of(7), 3)
        assert known["scores"] == sorted(known["scores"], reverse=True)
        assert len(set(unknown["items"])) == 3
        status, answer = post(f"{server.url}/invocations", users | {"params": {"k": 0}})
        assert status == 400
        assert "k must be a whole number of at least 1" in answer["message"]


def _items_of(folder: Path, user: str, k: int) -> list[str]:
    from twotower import Recommender

    return list(Recommender.load(folder, mmap=False).recommend([user], k).item_ids[0])


def _worse_model_is_refused(project: Project, uri: str) -> None:
    results = json.loads(project.read("hpo_results.json"))
    results["best_params"] |= {"lr": 0.0001, "epochs": 1}
    project.path("hpo_results.json").write_text(json.dumps(results), encoding="utf-8")
    project.stage("refit")
    assert registry(project, "register")[0] == 0
    status, output = registry(project, "promote")
    assert status == 3, output
    assert "version 2 of two-tower stays a candidate: it does not beat version 1" in output
    client = MlflowClient(uri)
    versions = [
        client.get_model_version_by_alias("two-tower", a) for a in ("candidate", "champion")
    ]
    assert [int(version.version) for version in versions] == [2, 1]
