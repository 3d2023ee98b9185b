"""A study and its trials as the tracker shows them."""

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from twotower.common.files import json_text, sha256_text
from twotower.config import Config
from twotower.search.identity import Fingerprint
from twotower.search.store.location import StudyLocation
from twotower.search.trial import CONSTANT_TIME, Trial
from twotower.tracking.git import git_tags
from twotower.tracking.journal import LOCK, TrackedStudy, version_tags, write_note
from twotower.tracking.records import FinishedTrial, SearchInfo, TrackedDataset, Tracker
from twotower.tracking.store import TRACKING_URI, without_credentials
from twotower.tracking.tracker import start_tracker, warn

DATASETS = {"train": "training", "validation": "validation"}
MAX_DIGEST = 36
"""Characters that MLflow takes as the digest of a data set."""


def track_study(
    config: Config, root: Path, location: StudyLocation, counts: Mapping[str, int]
) -> Tracker:
    """Tracker of a study; if it is enabled, a note beside the study says so.

    Args:
        config: all of params.yaml.
        root: of the repository.
        location: which study, and where.
        counts: rows of the data, as the objective counts them.
    """
    if not config.mlflow.enabled:
        return start_tracker(config.mlflow, root, SearchInfo("", ""))
    search = search_info(
        config.hpo.study_name, location.identity, location.provenance, location.version, counts
    )
    search = replace(search, tags={**search.tags, **git_tags()})
    name, objective = location.study_name(config.hpo), config.hpo.objective
    uri = without_credentials(config.mlflow.tracking_uri or os.environ.get(TRACKING_URI))
    where = config.mlflow.model_copy(update={"tracking_uri": uri})
    try:
        write_note(location.folder, TrackedStudy(name, objective, where, search))
    except OSError as error:  # what cannot be noted can still be logged
        warn(error)
    return start_tracker(config.mlflow, root, search, location.folder / LOCK)


def search_info(
    study_name: str,
    identity: Fingerprint,
    provenance: Fingerprint,
    version: str,
    counts: Mapping[str, int] | None = None,
) -> SearchInfo:
    """What identifies a study, its data and the versions that compute it.

    Args:
        study_name: name of its run.
        identity: what its trials are a function of.
        provenance: code, libraries and CPU that make them.
        version: tells studies of the same identity apart.
        counts: rows of the data, as the objective counts them; None if unknown.
    """
    data = identity.values["data"]
    return SearchInfo(
        key=f"{identity.digest[:32]}-{version}",
        study_name=study_name,
        params=dict(_flat({k: v for k, v in identity.values.items() if k != "data"})),
        tags={
            "mlflow.source.name": "stages/hpo.py",
            "mlflow.source.type": "LOCAL",
            "twotower.data": sha256_text(json_text(data, indent=None)),
            "twotower.identity": identity.digest,
            "twotower.provenance": provenance.digest,
            **version_tags(provenance.values),
        },
        datasets=[
            TrackedDataset(
                name=split,
                digest=data[f"{split}.parquet"][:MAX_DIGEST],
                context=context,
                source=f"data/prepared/{split}.parquet",
                num_rows=None if counts is None else counts[f"num_{split}_rows"],
            )
            for split, context in DATASETS.items()
        ],
    )


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Leaves by dotted name; lists and empty mappings are leaves."""
    for name, value in sorted(values.items()):
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value)
            yield f"{prefix}{name}", text


def finished_trial(record: Trial, objective: str) -> FinishedTrial:
    """A trial of the search as the tracker wants it.

    Args:
        record: one without times, from a snapshot, is shown as of the year 2000.
        objective: name of the metric that pruners were told after each epoch.
    """
    epochs = [
        {"loss": loss} | ({objective: record.intermediate[n]} if n in record.intermediate else {})
        for n, loss in enumerate(record.losses, start=1)
    ]
    unknown = round(CONSTANT_TIME.timestamp() * 1000)
    return FinishedTrial(
        number=record.number,
        state=record.state,
        params=record.params,
        value=record.value,
        metrics=record.metrics,
        epoch_metrics=epochs,
        started_ms=record.started or unknown,
        finished_ms=record.finished or unknown,
        failure=record.failure,
    )


def summary_metrics(results: Mapping[str, Any]) -> dict[str, float]:
    """Numbers about all trials, of a results file of the search."""
    winner = results["best_trial"]
    counts = {"n_trials": float(results["n_trials"])}
    if winner is None:
        return counts
    best = {"best_trial": float(winner["number"]), "best_value": float(winner["value"])}
    return counts | best | dict(winner["metrics"])
