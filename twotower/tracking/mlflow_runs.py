"""A study in MLflow: one run for the study, a nested run for each trial; errors are raised."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from twotower.search.trial import CONSTANT_TIME, Trial
from twotower.tracking.mlflow_store import open_experiment
from twotower.tracking.tracked_study import DATASETS, TrackedStudy

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, Metric, Param, Run, RunTag

STUDY_TAG = "twotower.search"
TRIAL_TAG = "twotower.trial"
STATE_TAG = "twotower.state"
FAILURE_TAG = "twotower.failure"
PARENT_TAG = "mlflow.parentRunId"
COMMIT_TAG, DIRTY_TAG = "mlflow.source.git.commit", "twotower.git.dirty"

MAX_METRICS = 1000
"""Metrics that MLflow accepts in one request; at most 1000 in all with parameters and tags."""
MAX_PARAMS = 100
"""Parameters that MLflow accepts in one request; the same for tags."""
MAX_TAG = 5000
"""Characters that every MLflow store accepts as a tag's value."""
MAX_PARAM = 500
"""Characters that every MLflow store accepts as a parameter's value."""
UNKNOWN_TIME = round(CONSTANT_TIME.timestamp() * 1000)
"""When trials of a snapshot, which have no times, began and ended: in the year 2000."""


@dataclass(frozen=True)
class Ending:
    """How a search ended.

    Attributes:
        status: of the study's run.
        metrics: numbers about all trials.
        artifacts: files and folders to upload.
        reason: why there are no results.
    """

    status: Literal["FINISHED", "FAILED", "KILLED"]
    metrics: Mapping[str, float] = field(default_factory=dict)
    artifacts: Sequence[Path] = ()
    reason: str = ""

    @classmethod
    def with_results(cls, results: Mapping[str, Any], artifacts: Sequence[Path]) -> "Ending":
        """That of a search whose results file has this content."""
        metrics = {"n_trials": float(results["n_trials"])}
        if (best := results["best_trial"]) is not None:
            metrics |= {"best_trial": float(best["number"]), "best_value": float(best["value"])}
            metrics |= best["metrics"]
        return cls("FINISHED", metrics, artifacts)

    @classmethod
    def without_results(cls, error: BaseException) -> "Ending":
        """That of a search which an error, or Ctrl-C, has stopped."""
        is_interrupt = isinstance(error, KeyboardInterrupt)
        reason = str(error) or type(error).__name__
        return cls("KILLED" if is_interrupt else "FAILED", reason=reason)


class StudyRun:
    """The run of a study, created or found by the study's key; trials are found by number.

    MLflow has no unique names: if a response gets lost, its request may be sent again, and then
    there are two runs. Whoever opens the study next keeps one of each and deletes the others.

    Attributes:
        logged: numbers of the trials that are in MLflow, complete.

    Raises:
        Exception: from here and every method, whatever mlflow, its database or the network raises.
    """

    def __init__(self, study: TrackedStudy, root: Path) -> None:
        self.logged: set[int] = set()
        self._study = study
        self._client, self._experiment = open_experiment(study.store, root)
        self._partial: dict[int, str] = {}
        runs = sorted(self._runs(), key=_age)
        self._open([run for run in runs if TRIAL_TAG not in run.data.tags])
        self._describe()
        trials = [run for run in runs if TRIAL_TAG in run.data.tags]
        for run in sorted(trials, key=_is_running):  # complete ones first
            self._adopt(run)

    def publish(self, trials: Sequence[Trial], ending: Ending | None = None) -> None:
        """Log the trials that MLflow lacks, then the ending.

        Args:
            trials: finished trials of the study.
            ending: None if the search goes on. One without results changes nothing unless the run
                is shown as running.
        """
        for trial in trials:
            if trial.number not in self.logged:
                self._log_trial(trial)
        if ending is None or (ending.status != "FINISHED" and self._status != "RUNNING"):
            return
        last = max((trial.finished for trial in trials), default=0) or UNKNOWN_TIME
        self._client.log_batch(self._id, _metrics(ending.metrics, last))
        if ending.reason:
            self._client.set_tag(self._id, FAILURE_TAG, ending.reason[:MAX_TAG])
        self.upload(ending.artifacts)
        self._client.set_terminated(self._id, ending.status)

    def show_running(self) -> None:
        """Show that the search is running."""
        self._client.update_run(self._id, status="RUNNING")
        self._status = "RUNNING"

    def upload(self, artifacts: Sequence[Path]) -> None:
        """Upload files, and folders under their names; existing artifacts are replaced."""
        for path in artifacts:
            if path.is_dir():
                self._client.log_artifacts(self._id, str(path), path.name)
            else:
                self._client.log_artifact(self._id, str(path))

    def _runs(self) -> Iterator["Run"]:
        page, query = None, f"tags.`{STUDY_TAG}` = '{self._study.key}'"
        while True:
            runs = self._client.search_runs([self._experiment], query, page_token=page)
            yield from runs
            page = runs.token
            if not page:
                return

    def _open(self, existing: list["Run"]) -> None:
        for duplicate in existing[1:]:
            self._client.delete_run(duplicate.info.run_id)
        if existing:
            run = existing[0]
        else:
            tags = {STUDY_TAG: self._study.key}
            run = self._client.create_run(self._experiment, tags=tags, run_name=self._study.name)
        self._id, self._status = str(run.info.run_id), str(run.info.status)
        # The code stays that of the search that created the run.
        self._kept_tags = {COMMIT_TAG, DIRTY_TAG} & run.data.tags.keys()

    def _describe(self) -> None:
        """Log what identifies the study, its data and its code."""
        tags = {k: v for k, v in self._study.tags.items() if k not in self._kept_tags}
        self._client.log_batch(self._id, tags=_tags(tags))
        params = _params(self._study.params)
        for start in range(0, len(params), MAX_PARAMS):
            self._client.log_batch(self._id, params=params[start : start + MAX_PARAMS])
        if self._study.digests:
            self._client.log_inputs(self._id, _datasets(self._study))

    def _adopt(self, run: "Run") -> None:
        """Remember the run of a trial; delete it if the trial has one already."""
        number, run_id = int(run.data.tags[TRIAL_TAG]), str(run.info.run_id)
        if number in self.logged or number in self._partial:
            self._client.delete_run(run_id)
            return
        if run.data.tags.get(PARENT_TAG) != self._id:
            self._client.set_tag(run_id, PARENT_TAG, self._id)
        if _is_running(run):
            self._partial[number] = run_id
        else:
            self.logged.add(number)

    def _log_trial(self, trial: Trial) -> None:
        run_id = self._partial.get(trial.number) or self._create(trial)
        self._partial[trial.number] = run_id
        params, metrics = _params(trial.params), trial_metrics(trial, self._study.objective)
        first = MAX_METRICS - len(params)
        self._client.log_batch(run_id, metrics[:first], params)
        for start in range(first, len(metrics), MAX_METRICS):
            self._client.log_batch(run_id, metrics[start : start + MAX_METRICS])
        status = "FAILED" if trial.state == "FAIL" else "FINISHED"
        self._client.set_terminated(run_id, status, trial.finished or UNKNOWN_TIME)
        self.logged.add(trial.number)

    def _create(self, trial: Trial) -> str:
        tags = {
            STUDY_TAG: self._study.key,
            TRIAL_TAG: str(trial.number),
            STATE_TAG: trial.state,
            PARENT_TAG: self._id,
        }
        if trial.failure is not None:
            tags[FAILURE_TAG] = trial.failure[:MAX_TAG]
        if COMMIT_TAG in self._study.tags:
            tags[COMMIT_TAG] = self._study.tags[COMMIT_TAG]
        started, name = trial.started or UNKNOWN_TIME, f"trial {trial.number}"
        run = self._client.create_run(self._experiment, started, tags, name)
        return str(run.info.run_id)


def trial_metrics(trial: Trial, objective: str) -> list["Metric"]:
    """The objective, the final metrics, and `epoch/<name>` with the epoch, from 1, as step.

    All carry the time at which the trial ended: logged again, they are the same metrics.

    Args:
        trial: a finished trial.
        objective: name of the metric in `trial.intermediate`.
    """
    time = trial.finished or UNKNOWN_TIME
    value = {} if trial.value is None else {"objective": trial.value}
    metrics = _metrics(trial.metrics | value, time)
    for epoch, loss in enumerate(trial.losses, start=1):
        values = {"epoch/loss": loss}
        if epoch in trial.intermediate:
            values[f"epoch/{objective}"] = trial.intermediate[epoch]
        metrics += _metrics(values, time, epoch)
    return metrics


def _age(run: "Run") -> tuple[int, str]:
    return int(run.info.start_time), str(run.info.run_id)


def _is_running(run: "Run") -> bool:
    return bool(run.info.status == "RUNNING")


def _metrics(values: Mapping[str, float], timestamp: int, step: int = 0) -> list["Metric"]:
    from mlflow.entities import Metric

    return [Metric(name, float(value), timestamp, step) for name, value in values.items()]


def _params(values: Mapping[str, object]) -> list["Param"]:
    from mlflow.entities import Param

    return [Param(name, str(value)[:MAX_PARAM]) for name, value in values.items()]


def _tags(values: Mapping[str, str]) -> list["RunTag"]:
    from mlflow.entities import RunTag

    return [RunTag(name, value[:MAX_TAG]) for name, value in values.items()]


def _datasets(study: TrackedStudy) -> list["DatasetInput"]:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    inputs = []
    for split, digest in study.digests.items():
        source = json.dumps({"uri": f"data/prepared/{split}.parquet"})
        rows = study.row_counts.get(split)
        profile = None if rows is None else json.dumps({"num_rows": rows})
        dataset = Dataset(split, digest, "local", source, profile=profile)
        inputs.append(DatasetInput(dataset, [InputTag("mlflow.data.context", DATASETS[split])]))
    return inputs
