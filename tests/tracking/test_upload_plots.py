"""Plots at the run of the search that they were made of."""

import json
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.tracking.test_sync import Repository, config, runs
from twotower.tracking import show_plots
from twotower.tracking.store import store_uri


@pytest.fixture
def repository(root: Path, monkeypatch: pytest.MonkeyPatch) -> Repository:
    monkeypatch.setenv("DVC_ROOT", str(root))
    repository = Repository(root)
    repository.track(0)
    repository.finish()
    (root / "plots").mkdir()
    (root / "plots" / "hpo_history.html").write_text("<html>", encoding="utf-8")
    return repository


def show(repository: Repository, **mlflow: object) -> list[str]:
    """Files in the folder `plots` of the search's run, afterwards."""
    root = repository.root
    show_plots(config(**mlflow).mlflow, repository.outputs.results, root / "plots")
    search, _ = runs(root)
    client = MlflowClient(tracking_uri=store_uri(None, root))
    return [file.path for file in client.list_artifacts(search.info.run_id, "plots")]


def test_they_are_uploaded(repository: Repository) -> None:
    assert show(repository) == ["plots/hpo_history.html"]


def test_not_if_tracking_is_off(repository: Repository) -> None:
    assert show(repository, enabled=False) == []


def test_not_to_the_run_of_another_study(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    results = json.loads(repository.outputs.results.read_text(encoding="utf-8"))
    other_code = results["provenance"] | {"code": "changed"}
    for other in ({"identity": "f" * 64}, {"provenance": other_code}):
        repository.outputs.results.write_text(json.dumps(results | other), encoding="utf-8")
        assert show(repository) == []
    assert capsys.readouterr().err == ""


def test_a_failure_costs_one_warning(
    repository: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.outputs.results.write_text("{}", encoding="utf-8")
    assert show(repository) == []
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: MLflow lacks the plots: KeyError")
