"""A search in MLflow: one run for the study, a nested run for each trial; errors are raised."""

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from twotower.config.outputs import MlflowConfig
from twotower.tracking.records import FinishedTrial, SearchInfo

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

SEARCH_TAG = "twotower.search"
TRIAL_TAG = "twotower.trial"
STATE_TAG = "twotower.state"
FAILURE_TAG = "twotower.failure"
PARENT_TAG = "mlflow.parentRunId"

MAX_METRICS = 1000
"""Metrics that MLflow takes in one request."""
MAX_TAG = 5000
"""Characters that every MLflow store takes as a tag's value."""

SILENT = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
PATIENCE = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "5",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    "MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT": "60",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
}
"""What a user may set otherwise. MLflow's own retries of a dead server last for minutes."""


def configure_environment() -> None:
    """Set the variables that mlflow reads when it is imported and at each request."""
    os.environ.update(SILENT)
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)


class SearchRun:
    """The run of a study, new or found again.

    Raises:
        Exception: from here and every method, whatever mlflow, its database or the network raises.
    """

    def __init__(self, config: MlflowConfig, root: Path, search: SearchInfo) -> None:
        configure_environment()
        from mlflow import MlflowClient

        uri = store_uri(config.tracking_uri, root)
        self._client = MlflowClient(tracking_uri=uri)
        artifacts = (root / "mlruns").absolute().as_uri() if uri.startswith("sqlite:") else None
        self._experiment = _experiment(self._client, config.experiment, artifacts)
        self._id = self._open(search)
        self._complete: set[int] = set()
        self._partial: dict[int, str] = {}
        for run in self._search(PARENT_TAG, self._id):
            self._remember(run)

    def _open(self, search: SearchInfo) -> str:
        for run in self._search(SEARCH_TAG, search.identity):
            self._client.update_run(run.info.run_id, status="RUNNING")
            return str(run.info.run_id)
        tags = {**search.tags, SEARCH_TAG: search.identity}
        run = self._client.create_run(self._experiment, tags=tags, run_name=search.study_name)
        return str(run.info.run_id)

    def _search(self, tag: str, value: str) -> Iterator["Run"]:
        page = None
        while True:
            runs = self._client.search_runs(
                [self._experiment], f"tags.`{tag}` = '{value}'", page_token=page
            )
            yield from runs
            page = runs.token
            if not page:
                return

    def _remember(self, run: "Run") -> None:
        number = int(run.data.tags[TRIAL_TAG])
        if run.info.status == "RUNNING":
            self._partial[number] = run.info.run_id
        else:
            self._complete.add(number)

    def log_trial(self, trial: FinishedTrial) -> None:
        """Log a trial as a nested run, unless a run of its number is complete."""
        if trial.number in self._complete:
            return
        run_id = self._partial.get(trial.number) or self._create(trial)
        self._log_batches(run_id, trial)
        status = "FAILED" if trial.state == "FAIL" else "FINISHED"
        self._client.set_terminated(run_id, status, trial.finished_ms)
        self._complete.add(trial.number)

    def _create(self, trial: FinishedTrial) -> str:
        tags = {TRIAL_TAG: str(trial.number), STATE_TAG: trial.state, PARENT_TAG: self._id}
        if trial.failure is not None:
            tags[FAILURE_TAG] = trial.failure[:MAX_TAG]
        name = f"trial {trial.number}"
        run = self._client.create_run(self._experiment, trial.started_ms, tags, name)
        return str(run.info.run_id)

    def _log_batches(self, run_id: str, trial: FinishedTrial) -> None:
        from mlflow.entities import Param

        params = [Param(name, str(value)) for name, value in trial.params.items()]
        metrics = trial_metrics(trial)
        self._client.log_batch(run_id, metrics[:MAX_METRICS], params)
        for start in range(MAX_METRICS, len(metrics), MAX_METRICS):
            self._client.log_batch(run_id, metrics[start : start + MAX_METRICS])

    def finish(self, artifacts: Sequence[Path], summary: Mapping[str, float]) -> None:
        """Log numbers about all trials and upload the files and folders; the run is FINISHED."""
        self._client.log_batch(self._id, _metrics(summary, int(time.time() * 1000)))
        self._client.set_terminated(self._id)
        for path in artifacts:
            if path.is_dir():
                self._client.log_artifacts(self._id, str(path), path.name)
            else:
                self._client.log_artifact(self._id, str(path))


def store_uri(tracking_uri: str | None, root: Path) -> str:
    """The configured URI; a SQLite file named by a relative path lies below `root`."""
    uri = tracking_uri or "sqlite:///mlflow.db"
    prefix, separator, path = uri.partition("sqlite:///")
    if prefix or not separator:
        return uri
    return f"sqlite:///{(root.absolute() / path).as_posix()}"


def trial_metrics(trial: FinishedTrial) -> list["Metric"]:
    """The objective, the final metrics, and `epoch/<name>` with the epoch, from 1, as step.

    All bear the time at which the trial ended: logged again, they are the same metrics.
    """
    final = dict(trial.metrics)
    if trial.value is not None:
        final["objective"] = trial.value
    metrics = _metrics(final, trial.finished_ms)
    for epoch, values in enumerate(trial.epoch_metrics, start=1):
        named = {f"epoch/{name}": value for name, value in values.items()}
        metrics += _metrics(named, trial.finished_ms, epoch)
    return metrics


def _metrics(values: Mapping[str, float], timestamp: int, step: int = 0) -> list["Metric"]:
    from mlflow.entities import Metric

    return [Metric(name, float(value), timestamp, step) for name, value in values.items()]


def _experiment(client: "MlflowClient", name: str, artifacts: str | None) -> str:
    found = client.get_experiment_by_name(name)
    return str(found.experiment_id if found else client.create_experiment(name, artifacts))
