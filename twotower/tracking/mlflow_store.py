"""Which MLflow store is used, how long to wait for it, and its errors in one line."""

import importlib
import os
import re
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.engine import make_url

from twotower.common.bounded import without_middle
from twotower.common.errors import TwoTowerError
from twotower.common.secrets import mask_credentials, without_credentials
from twotower.config.reporting import MlflowConfig
from twotower.tracking.relocate import MLRUNS, check_locations

if TYPE_CHECKING:
    from mlflow import MlflowClient

TRACKING_URI = "MLFLOW_TRACKING_URI"
DEFAULT_STORE = "sqlite:///mlflow.db"
LOCAL_SERVER = "http://localhost:5000"
"""Where `mlflow ui` serves its pages."""
SERVED = re.compile(r"(sqlite|postgresql|mysql|file)\b|[./\\]|[A-Za-z]:[/\\]")
"""Stores whose pages `mlflow ui` serves: databases, and folders."""
SILENT = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
PATIENCE = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT": "60",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
}
"""For stages, unless the user sets them; MLflow's own retries of a dead server take minutes."""
COMMAND_PATIENCE = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "60",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT": "600",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
}
"""The same for commands, which have nothing to do but wait for the server."""
MAX_REASON = 300
"""Characters of somebody else's message that are shown."""


def configure_environment(patience: Mapping[str, str] = PATIENCE) -> None:
    """Set the variables that mlflow reads when it is imported and at each request."""
    os.environ.update(SILENT)
    for name, value in patience.items():
        os.environ.setdefault(name, value)


def store_uri(tracking_uri: str | None, root: Path) -> str:
    """The URI of the store.

    Args:
        tracking_uri: as configured; None: $MLFLOW_TRACKING_URI, else sqlite:///mlflow.db.
        root: folder that the relative path of a SQLite file starts from.
    """
    uri = tracking_uri or os.environ.get(TRACKING_URI) or DEFAULT_STORE
    if not uri.startswith("sqlite:///"):
        return uri
    url = make_url(uri)
    path = (root.absolute() / (url.database or "")).as_posix()
    plain = f"sqlite:///{path}"
    if make_url(plain).database == path and not url.query:
        return plain
    # Under the bare name, MLflow makes a folder of the path as it is escaped.
    url = url.set(drivername="sqlite+pysqlite", database=path)
    return url.render_as_string(hide_password=False)


def import_store(config: MlflowConfig, root: Path) -> None:
    """Import what `open_experiment` needs for this store.

    Raises:
        Exception: whatever the import of mlflow raises.
    """
    configure_environment()
    is_server = store_uri(config.tracking_uri, root).startswith("http")
    importlib.import_module("mlflow")
    importlib.import_module(
        f"mlflow.store.tracking.{'rest_store' if is_server else 'sqlalchemy_store'}"
    )


def open_experiment(
    config: MlflowConfig, root: Path, patience: Mapping[str, str] = PATIENCE
) -> tuple["MlflowClient", str]:
    """A client of the store and the id of the experiment, which is created if needed.

    Raises:
        TrackingError: if the store names artifacts where this checkout was before.
        Exception: whatever mlflow, its database or the network raises.
    """
    configure_environment(patience)
    from mlflow import MlflowClient

    uri = store_uri(config.tracking_uri, root)
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    if uri.startswith("sqlite"):
        locations = [experiment.artifact_location for experiment in client.search_experiments()]
        check_locations(uri, locations, root)
    experiment = client.get_experiment_by_name(config.experiment)
    if experiment is not None:
        return client, str(experiment.experiment_id)
    # A server decides where artifacts go; those of a SQLite store are kept beside it.
    artifacts = (root / MLRUNS).absolute().as_uri() if uri.startswith("sqlite") else None
    return client, str(client.create_experiment(config.experiment, artifacts))


def run_address(config: MlflowConfig, experiment: str, run: str) -> str:
    """Where MLflow's pages show a run; of a database or folder, with the command that serves them.

    MLflow opens on its pages for language models unless the address asks for those of training.
    """
    configured = config.tracking_uri or os.environ.get(TRACKING_URI) or DEFAULT_STORE
    uri = without_credentials(configured) or ""
    page = f"#/experiments/{experiment}/runs/{run}?workflowType=machine_learning"
    if uri.startswith("http"):
        return f"{uri.rstrip('/')}/{page}"
    if not SERVED.match(uri):
        return f"run {run} of experiment {experiment} in {uri}"  # that has pages of its own
    return f"{LOCAL_SERVER}/{page} (mlflow ui --backend-store-uri {shlex.quote(uri)})"


def explain(error: Exception) -> str:
    """The reason in one line, without credentials.

    Of more than MAX_REASON characters, which only others' messages have, those in the middle are
    left out: MLflow says what it tried first, and why that failed last.
    """
    if isinstance(error, TwoTowerError):
        return mask_credentials(str(error))
    reason = mask_credentials(" ".join(f"{type(error).__name__}: {error}".split()))
    return without_middle(reason, MAX_REASON)
