"""Which store is used, and errors without credentials."""

import shutil
from pathlib import Path

import pytest
from mlflow import MlflowClient
from sqlalchemy.engine import make_url

from tests.conftest import ODD_NAME
from twotower.common.errors import TrackingError
from twotower.common.paths import repository_root
from twotower.config.reporting import MlflowConfig
from twotower.tracking.mlflow_store import (
    explain,
    open_experiment,
    run_address,
    store_uri,
)


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


def test_any_name_of_a_folder_will_do(tmp_path: Path, empty_mlflow: Path) -> None:
    root = tmp_path / ODD_NAME
    root.mkdir()
    shutil.copy(empty_mlflow, root)
    client, experiment = open_experiment(MlflowConfig(), root)
    run = client.create_run(experiment).info.run_id
    client.log_text(run, "logged", "x.txt")
    assert (root / "mlruns" / run / "artifacts" / "x.txt").read_text() == "logged"
    assert MlflowClient(store_uri("sqlite:///mlflow.db", root)).get_run(run)
    assert [path.name for path in tmp_path.iterdir()] == [ODD_NAME]


def test_an_escaped_store_is_decoded_once(tmp_path: Path) -> None:
    given = "sqlite:////abs/a%2520b/mlflow.db?timeout=5"
    assert make_url(store_uri(given, tmp_path)) == make_url(given).set(drivername="sqlite+pysqlite")


def test_a_relative_store_lies_below_the_root(tmp_path: Path) -> None:
    expected = f"sqlite:///{(tmp_path / 'runs' / 'a.db').as_posix()}"
    assert store_uri("sqlite:///runs/a.db", tmp_path) == expected


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("http://me:secret@host:5000/", "http://host:5000/#/experiments/1/runs/abc?{}"),
        (
            None,
            "http://localhost:5000/#/experiments/1/runs/abc?{}"
            " (mlflow ui --backend-store-uri sqlite:///mlflow.db)",
        ),
        (
            "sqlite:////my shop/mlflow.db",
            "http://localhost:5000/#/experiments/1/runs/abc?{}"
            " (mlflow ui --backend-store-uri 'sqlite:////my shop/mlflow.db')",
        ),
        (
            "postgresql+psycopg2://me:secret@host/runs",
            "http://localhost:5000/#/experiments/1/runs/abc?{}"
            " (mlflow ui --backend-store-uri postgresql+psycopg2://host/runs)",
        ),
        ("databricks", "run abc of experiment 1 in databricks"),
        ("databricks://shop", "run abc of experiment 1 in databricks://shop"),
    ],
)
def test_the_address_opens_on_model_training(
    uri: str | None, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    found = run_address(MlflowConfig(tracking_uri=uri), "1", "abc")
    assert found == address.format("workflowType=machine_learning")


def test_an_error_is_one_short_line_with_its_beginning_and_its_end() -> None:
    reason = explain(ValueError("no\n  answer " + "x" * 600 + " because of this"))
    assert reason.startswith("ValueError: no answer xxx")
    assert reason.endswith("xxx because of this")
    assert len(reason) == 300
    ours = "x" * 600 + "; run this"
    assert explain(TrackingError(ours)) == ours
