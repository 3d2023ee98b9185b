"""Trials, studies and data sets in MLflow's own terms."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from twotower.search.trial import CONSTANT_TIME, Trial
from twotower.tracking.tracked_study import DATASETS, TrackedStudy

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput, Metric, Param, RunTag

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
BEST_SO_FAR = "best_so_far"

COLUMN_TYPES = {"int64": "long", "int32": "integer", "double": "double", "float": "float"}
"""MLflow's name of a type of Parquet; all others that splits have are text."""


def trial_metrics(trial: Trial, objective: str) -> list["Metric"]:
    """The objective, the final metrics, and `epoch/<name>` with the epoch, from 1, as step.

    All carry the time at which the trial ended: logged again, they are the same metrics.

    Args:
        trial: a finished trial.
        objective: name of the metric in `trial.intermediate`.
    """
    time = trial.finished or UNKNOWN_TIME
    value = {} if trial.value is None else {"objective": trial.value}
    found = metrics(trial.metrics | value, time)
    for epoch, loss in enumerate(trial.losses, start=1):
        values = {"epoch/loss": loss}
        if epoch in trial.intermediate:
            values[f"epoch/{objective}"] = trial.intermediate[epoch]
        found += metrics(values, time, epoch)
    return found


def best_so_far(trials: Sequence[Trial]) -> Iterator["Metric"]:
    """The highest value of the trials up to each one, whose number is the step.

    It ends before the first number that is missing, and begins with the first complete trial. Each
    point carries the time at which its trial ended.

    Args:
        trials: finished trials, in any order.
    """
    numbered, highest = {trial.number: trial for trial in trials}, None
    for number in range(len(numbered)):
        trial = numbered.get(number)
        if trial is None:
            return
        if trial.state == "COMPLETE" and trial.value is not None:
            highest = trial.value if highest is None else max(highest, trial.value)
        if highest is not None:
            yield from metrics({BEST_SO_FAR: highest}, trial.finished or UNKNOWN_TIME, number)


def metrics(values: Mapping[str, float], timestamp: int, step: int = 0) -> list["Metric"]:
    """Metrics of one moment, in milliseconds since 1970."""
    from mlflow.entities import Metric

    return [Metric(name, float(value), timestamp, step) for name, value in values.items()]


def params(values: Mapping[str, object]) -> list["Param"]:
    """Parameters; what is too long is cut off."""
    from mlflow.entities import Param

    return [Param(name, str(value)[:MAX_PARAM]) for name, value in values.items()]


def tags(values: Mapping[str, str]) -> list["RunTag"]:
    """Tags; what is too long is cut off."""
    from mlflow.entities import RunTag

    return [RunTag(name, value[:MAX_TAG]) for name, value in values.items()]


def datasets(study: TrackedStudy) -> list["DatasetInput"]:
    """The splits that the search reads: digest, and number of rows and columns where known."""
    from mlflow.entities import Dataset, DatasetInput, InputTag

    inputs = []
    for split, digest in study.digests.items():
        source = json.dumps({"uri": f"data/prepared/{split}.parquet"})
        rows = study.row_counts.get(split)
        profile = None if rows is None else json.dumps({"num_rows": rows})
        schema = _schema(study.columns[split]) if split in study.columns else None
        dataset = Dataset(split, digest, "local", source, schema, profile)
        inputs.append(DatasetInput(dataset, [InputTag("mlflow.data.context", DATASETS[split])]))
    return inputs


def _schema(columns: Mapping[str, str]) -> str:
    """Columns and their types as MLflow's data sets have them."""
    from mlflow.types import ColSpec, Schema

    types = {name: COLUMN_TYPES.get(kind, "string") for name, kind in columns.items()}
    schema = Schema([ColSpec(kind, name) for name, kind in types.items()])
    return json.dumps({"mlflow_colspec": schema.to_dict()})
