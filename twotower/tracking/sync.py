"""Logs what MLflow lacks: trials of tracked searches that it could not be told of."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout

from twotower.common.errors import SearchError, TrackingError
from twotower.config import Config
from twotower.config.outputs import MlflowConfig
from twotower.search.identity import Fingerprint
from twotower.search.outputs import SearchOutputs
from twotower.search.store.database import open_database
from twotower.search.store.pending import PendingTrials
from twotower.search.store.snapshot import read_snapshot
from twotower.search.store.storage import Storage, parse_storage, sqlite_storage
from twotower.search.trial import Trial
from twotower.tracking.journal import (
    LOCK,
    MIXED,
    TrackedStudy,
    is_result_of,
    read_note,
    tracked_folders,
)
from twotower.tracking.mlflow_run import SearchRun
from twotower.tracking.records import SearchInfo
from twotower.tracking.store import TRACKING_URI, store_uri, without_credentials
from twotower.tracking.study_info import finished_trial, search_info, summary_metrics
from twotower.tracking.tracker import explain

PLOTS = Path("plots")
Say = Callable[[str], None]


@dataclass(frozen=True)
class _Study:
    """A study whose trials MLflow shall have.

    Attributes:
        tracked: where and as what.
        records: its finished trials.
        lock: held while it is logged; None: nobody else knows of it.
    """

    tracked: TrackedStudy
    records: list[Trial]
    lock: Path | None = None


def sync(
    config: Config,
    root: Path,
    say: Say,
    where: MlflowConfig | None = None,
    outputs: SearchOutputs | None = None,
) -> int:
    """Log every trial that MLflow lacks.

    That is the trials of all live studies whose search was tracked, and those of the snapshot.

    Args:
        config: sections `hpo` (where live studies are) and `mlflow` (for the snapshot).
        root: of the repository.
        say: told what was done.
        where: store and experiment in place of those that the searches were told of.
        outputs: results and snapshot of the search; what of them is there is uploaded, and
            `plots/`, if DVC knows that they were made of these results.

    Returns:
        Number of trials that were logged.

    Raises:
        TrackingError: if MLflow cannot be written.
        SearchError: if a study cannot be read.
    """
    outputs = outputs or SearchOutputs()
    results = _read_results(outputs.results)
    drawn = _is_drawn(outputs.results, root)
    total = 0
    for found in _studies(config, root, outputs):
        tracked = replace(found.tracked, config=where or _store(found.tracked.config, config))
        study = replace(found, tracked=tracked)
        files = [outputs.results, outputs.trials, *([PLOTS] if drawn else [])]
        ours = results if results and is_result_of(results, tracked) else None
        total += _sync_study(study, root, ours, [f for f in files if f.exists()], say)
    return total


def _sync_study(study: _Study, root: Path, results: Any, files: list[Path], say: Say) -> int:
    tracked, name = study.tracked, study.tracked.search.study_name
    try:
        if study.lock is None:
            logged = _log(study, root, results, files)
        else:
            with FileLock(study.lock, timeout=0):
                logged = _log(study, root, results, files)
    except Timeout:
        say(f"{name}: a search that is running logs it")
        return 0
    except Exception as error:
        msg = f"MLflow cannot be written: {explain(error)}"
        raise TrackingError(msg) from None
    shown = without_credentials(store_uri(tracked.config.tracking_uri, root))
    say(
        f"{name}: logged {logged} of {len(study.records)} trials in experiment "
        f"{tracked.config.experiment} of {shown}" + ("" if logged else "; MLflow lacked none")
    )
    return logged


def _store(noted: MlflowConfig, config: Config) -> MlflowConfig:
    """Where a search was tracked; a note holds no credentials, which the store of now may have."""
    uri = config.mlflow.tracking_uri or os.environ.get(TRACKING_URI)
    same = without_credentials(uri) == noted.tracking_uri
    return noted.model_copy(update={"tracking_uri": uri}) if same else noted


def _is_drawn(results: Path, root: Path) -> bool:
    """Whether the plots were made of these results, as the lock of the pipeline has it."""
    try:
        stages = yaml.safe_load((root / "dvc.lock").read_text(encoding="utf-8"))["stages"]
        deps = {entry["path"]: entry["md5"] for entry in stages["visualize"]["deps"]}
        digest = hashlib.md5(results.read_bytes(), usedforsecurity=False).hexdigest()
    except (OSError, KeyError, TypeError, yaml.YAMLError):
        return False
    return deps.get(results.name) == digest


def _log(study: _Study, root: Path, results: Any, files: list[Path]) -> int:
    tracked = study.tracked
    run = SearchRun(tracked.config, root, tracked.search)
    before = run.num_logged
    for record in study.records:
        run.log_trial(finished_trial(record, tracked.objective))
    if results is not None:
        last = max((record.finished for record in study.records), default=0)
        run.finish(files, summary_metrics(results), last)
    else:
        run.stop("KILLED", "its results are not here: it was killed, or another search came since")
    return run.num_logged - before


def _studies(config: Config, root: Path, outputs: SearchOutputs) -> Iterator[_Study]:
    """Tracked live studies, and the snapshot's unless it is one of them."""
    copy = _snapshot(config, outputs.snapshot)
    for folder in tracked_folders(root):
        tracked = read_note(folder)
        records = _records(folder, tracked.study_name, config, root)
        if copy is not None and _is_copy(copy.tracked.search, tracked.search):
            # The search may have kept its trials in a database that params.yaml does not name.
            records = {record.number: record for record in copy.records} | records
            copy = None
        yield _Study(tracked, [records[number] for number in sorted(records)], folder / LOCK)
    if copy is not None:
        yield copy


def _is_copy(copy: SearchInfo, live: SearchInfo) -> bool:
    """Whether the snapshot is of a live study; one that may be mixed need not be."""
    return live.key in (copy.key, copy.key + MIXED)


def _snapshot(config: Config, path: Path) -> _Study | None:
    """The study in the snapshot; None without one."""
    attributes, records = read_snapshot(path)
    if not records:
        return None
    search = _snapshot_info(config.hpo.study_name, attributes, records)
    objective = attributes["identity_values"]["objective"]
    return _Study(TrackedStudy("", objective, config.mlflow, search), records)


def _snapshot_info(study_name: str, attributes: dict[str, Any], records: list[Trial]) -> SearchInfo:
    provenance = Fingerprint(attributes["provenance"])
    mixed = any(record.provenance != provenance.digest for record in records)
    version = provenance.digest[:12] + MIXED * mixed
    return search_info(study_name, Fingerprint(attributes["identity_values"]), provenance, version)


def _records(folder: Path, study_name: str, config: Config, root: Path) -> dict[int, Trial]:
    """Finished trials of a live study by number, also those that are not in its database yet."""
    records: dict[int, Trial] = {}
    storage = _storage(folder, config, root)
    if storage is not None:
        with open_database(storage, study_name) as database:
            records = {record.number: record for record in database.own_trials()}
    pending = PendingTrials(folder / "trials")
    for number in pending.numbers():
        records.setdefault(number, pending.read(number))
    return records


def _storage(folder: Path, config: Config, root: Path) -> Storage | None:
    own = folder / "study.db"
    if own.exists():
        return sqlite_storage(own)
    if config.hpo.storage is None:
        return None
    return parse_storage(config.hpo.storage, root.resolve())


def _read_results(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError:
        msg = f"{path}: not a results file of the hpo stage; run it again (dvc repro -f -s hpo)"
        raise SearchError(msg) from None
