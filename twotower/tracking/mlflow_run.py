"""A search in MLflow: one run for the study, a nested run for each trial; errors are raised."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from twotower.config.outputs import MlflowConfig
from twotower.tracking.records import FinishedTrial, SearchInfo, TrackedDataset
from twotower.tracking.store import open_experiment

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, Metric, Param, Run, RunTag

SEARCH_TAG = "twotower.search"
TRIAL_TAG = "twotower.trial"
STATE_TAG = "twotower.state"
FAILURE_TAG = "twotower.failure"
PARENT_TAG = "mlflow.parentRunId"
COMMIT_TAG, DIRTY_TAG = "mlflow.source.git.commit", "twotower.git.dirty"
CODE_TAGS = {COMMIT_TAG, DIRTY_TAG}
CONTEXT_TAG = "mlflow.data.context"

MAX_METRICS = 1000
"""Metrics that MLflow takes in one request; with parameters and tags, too, at most 1000 in all."""
MAX_PARAMS = 100
"""Parameters that MLflow takes in one request; tags, too."""
MAX_TAG = 5000
"""Characters that every MLflow store takes as a tag's value."""
MAX_PARAM = 500
"""Characters that every MLflow store takes as a parameter's value."""


class SearchRun:
    """The run of a study, new or found again; trials are told apart by their numbers.

    MLflow has no unique names: a request whose answer got lost may have been carried out, and
    then a run is there twice. Whoever opens the study next keeps one of each and deletes the rest.

    Raises:
        Exception: from here and every method, whatever mlflow, its database or the network raises.
    """

    def __init__(self, config: MlflowConfig, root: Path, search: SearchInfo) -> None:
        self._search = search
        self._client, self._experiment = open_experiment(config, root)
        self._complete: set[int] = set()
        self._partial: dict[int, str] = {}
        runs = sorted(self._runs(), key=_age)
        self._id = self._open([run for run in runs if TRIAL_TAG not in run.data.tags])
        for run in sorted((run for run in runs if TRIAL_TAG in run.data.tags), key=_is_running):
            self._remember(run)

    @property
    def num_logged(self) -> int:
        """Trials that are there, whole."""
        return len(self._complete)

    def _open(self, found: list["Run"]) -> str:
        for spare in found[1:]:
            self._client.delete_run(spare.info.run_id)
        if found:
            run_id = str(found[0].info.run_id)
        else:
            tags = {SEARCH_TAG: self._search.key}
            run = self._client.create_run(
                self._experiment, tags=tags, run_name=self._search.study_name
            )
            run_id = str(run.info.run_id)
        known = found[0].data.tags if found else {}
        code = known.keys() & CODE_TAGS  # of the search that opened it
        own = {name: tag for name, tag in self._search.tags.items() if name not in code}
        tags = {**own, SEARCH_TAG: self._search.key}
        self._client.log_batch(run_id, tags=_tags(tags))
        params = _params(self._search.params)
        for start in range(0, len(params), MAX_PARAMS):
            self._client.log_batch(run_id, params=params[start : start + MAX_PARAMS])
        if self._search.datasets:
            self._client.log_inputs(run_id, [_dataset(entry) for entry in self._search.datasets])
        return run_id

    def _runs(self) -> Iterator["Run"]:
        page, wanted = None, f"tags.`{SEARCH_TAG}` = '{self._search.key}'"
        while True:
            runs = self._client.search_runs([self._experiment], wanted, page_token=page)
            yield from runs
            page = runs.token
            if not page:
                return

    def _remember(self, run: "Run") -> None:
        """Take note of a trial's run; complete ones come first."""
        number, run_id = int(run.data.tags[TRIAL_TAG]), str(run.info.run_id)
        if number in self._complete or number in self._partial:
            self._client.delete_run(run_id)
            return
        if run.data.tags.get(PARENT_TAG) != self._id:
            self._client.set_tag(run_id, PARENT_TAG, self._id)
        if _is_running(run):
            self._partial[number] = run_id
        else:
            self._complete.add(number)

    def begin(self) -> None:
        """Show that the search is running."""
        self._client.update_run(self._id, status="RUNNING")

    def log_trial(self, trial: FinishedTrial) -> None:
        """Log a trial as a nested run, unless a run of its number is complete."""
        if trial.number in self._complete:
            return
        run_id = self._partial.get(trial.number) or self._create(trial)
        self._partial[trial.number] = run_id
        self._log_batches(run_id, trial)
        status = "FAILED" if trial.state == "FAIL" else "FINISHED"
        self._client.set_terminated(run_id, status, trial.finished_ms)
        self._complete.add(trial.number)

    def _create(self, trial: FinishedTrial) -> str:
        tags = {
            SEARCH_TAG: self._search.key,
            TRIAL_TAG: str(trial.number),
            STATE_TAG: trial.state,
            PARENT_TAG: self._id,
        }
        if trial.failure is not None:
            tags[FAILURE_TAG] = trial.failure[:MAX_TAG]
        if COMMIT_TAG in self._search.tags:
            tags[COMMIT_TAG] = self._search.tags[COMMIT_TAG]
        name = f"trial {trial.number}"
        run = self._client.create_run(self._experiment, trial.started_ms, tags, name)
        return str(run.info.run_id)

    def _log_batches(self, run_id: str, trial: FinishedTrial) -> None:
        params, metrics = _params(trial.params), trial_metrics(trial)
        first = MAX_METRICS - len(params)
        self._client.log_batch(run_id, metrics[:first], params)
        for start in range(first, len(metrics), MAX_METRICS):
            self._client.log_batch(run_id, metrics[start : start + MAX_METRICS])

    def finish(
        self, artifacts: Sequence[Path], summary: Mapping[str, float], finished_ms: int
    ) -> None:
        """Log numbers about all trials and upload the files and folders; the run is FINISHED."""
        self._client.log_batch(self._id, _metrics(summary, finished_ms))
        self.upload(artifacts)
        self._client.set_terminated(self._id, "FINISHED")

    def stop(self, status: str, reason: str | None = None) -> None:
        """End a run that has no result, unless an earlier search has finished it."""
        if self._client.get_run(self._id).info.status != "RUNNING":
            return
        if reason is not None:
            self._client.set_tag(self._id, FAILURE_TAG, reason[:MAX_TAG])
        self._client.set_terminated(self._id, status)

    def upload(self, artifacts: Sequence[Path]) -> None:
        """Upload files, and folders under their names; those that are there are replaced."""
        for path in artifacts:
            if path.is_dir():
                self._client.log_artifacts(self._id, str(path), path.name)
            else:
                self._client.log_artifact(self._id, str(path))


def _age(run: "Run") -> tuple[int, str]:
    return int(run.info.start_time), str(run.info.run_id)


def _is_running(run: "Run") -> bool:
    return bool(run.info.status == "RUNNING")


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


def _params(values: Mapping[str, object]) -> list["Param"]:
    from mlflow.entities import Param

    return [Param(name, str(value)[:MAX_PARAM]) for name, value in values.items()]


def _tags(values: Mapping[str, str]) -> list["RunTag"]:
    from mlflow.entities import RunTag

    return [RunTag(name, value[:MAX_TAG]) for name, value in values.items()]


def _dataset(entry: TrackedDataset) -> "DatasetInput":
    from mlflow.entities import Dataset, DatasetInput, InputTag

    profile = None if entry.num_rows is None else json.dumps({"num_rows": entry.num_rows})
    source = json.dumps({"uri": entry.source})
    dataset = Dataset(entry.name, entry.digest, "local", source, profile=profile)
    return DatasetInput(dataset, [InputTag(CONTEXT_TAG, entry.context)])
