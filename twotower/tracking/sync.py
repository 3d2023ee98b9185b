"""Publishes what MLflow lacks of tracked searches, e.g. after its server was down."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from filelock import FileLock, Timeout

from twotower.common.errors import ConfigError, SearchError, TrackingError
from twotower.common.files import read_json
from twotower.common.progress import step
from twotower.common.secrets import without_credentials
from twotower.common.yaml_file import read_yaml
from twotower.config import Config
from twotower.config.reporting import MlflowConfig
from twotower.search.identity import Fingerprint
from twotower.search.outputs import SearchOutputs
from twotower.search.store.database import open_database
from twotower.search.store.snapshot import read_snapshot
from twotower.search.store.storage_url import Storage, parse_storage, sqlite_storage
from twotower.search.store.trial_files import DamagedTrialError, TrialFiles
from twotower.search.trial import Trial
from twotower.tracking.ending import Ending
from twotower.tracking.held_out_scores import HeldOutScores, read_held_out_scores
from twotower.tracking.mlflow_runs import StudyRun
from twotower.tracking.mlflow_store import explain, store_uri
from twotower.tracking.tracked_study import (
    LOCK,
    MIXED,
    TrackedStudy,
    describe_study,
    read_note,
    tracked_folders,
)

PLOTS, METRICS = Path("plots"), Path("metrics")
NO_RESULTS = "no results: the search was killed, or a later search replaced them"
Say = Callable[[str], None]


class _LocalStudy(NamedTuple):
    """A study in this repository and its finished trials.

    Attributes:
        study: what MLflow shows, and where.
        trials: by number.
        folder: of the live study; None if there is only the snapshot.
    """

    study: TrackedStudy
    trials: list[Trial]
    folder: Path | None = None


def sync(
    config: Config,
    root: Path,
    say: Say,
    where: MlflowConfig | None = None,
    outputs: SearchOutputs | None = None,
) -> int:
    """Log every trial that MLflow lacks, of all tracked live studies and of the snapshot.

    Args:
        config: sections `hpo` (where live studies are) and `mlflow` (for the snapshot).
        root: of the repository.
        say: called with what was done.
        where: store and experiment to use instead of those of the searches.
        outputs: results and snapshot of the search; the results are uploaded, and `plots/` and the
            scores on the test split if `dvc.lock` says that they were made from these results.

    Returns:
        Number of trials that were logged.

    Raises:
        TrackingError: if MLflow cannot be written to.
        SearchError: if a study cannot be read; the others have been logged.
    """
    outputs = outputs or SearchOutputs()
    results = _read_results(outputs.results)
    plots = [PLOTS] if _is_made_from(outputs.results, "visualize", root) else []
    has_scores = _is_made_from(outputs.results, "refit", root)
    scores = read_held_out_scores(METRICS) if has_scores else None
    files = [path for path in (outputs.results, outputs.trials, *plots) if path.exists()]
    total, unread = 0, list[SearchError]()
    for local in _studies(config, root, outputs.snapshot, say, unread):
        store = where or local.study.store_with_credentials(config.mlflow)
        there = local._replace(study=replace(local.study, store=store))
        with step(local.study.name):
            if results is not None and local.study.has_results(results):
                total += _publish(there, root, say, Ending.with_results(results, files), scores)
            else:
                total += _publish(there, root, say, Ending("KILLED", reason=NO_RESULTS))
    for error in unread[1:]:
        say(str(error))
    if unread:
        raise unread[0]
    return total


def _publish(
    local: _LocalStudy, root: Path, say: Say, ending: Ending, scores: HeldOutScores | None = None
) -> int:
    """Publish a study, unless another process does; the number of trials that were missing."""
    study, trials, folder = local
    store = study.store
    try:
        with FileLock(folder / LOCK, timeout=0) if folder else nullcontext():
            run = StudyRun(study, root)
            before = len(run.logged)
            run.publish(trials, ending)
            if scores is not None:
                run.add_scores(scores)
    except Timeout:
        say(f"{study.name}: skipped, as a running search logs it")
        return 0
    except Exception as error:
        msg = f"cannot log to MLflow: {explain(error)}"
        raise TrackingError(msg) from None
    count = len(run.logged) - before
    uri = without_credentials(store_uri(store.tracking_uri, root))
    place = f"experiment {store.experiment} at {uri}"
    if count:
        say(f"{study.name}: logged {count} of {len(trials)} trials to {place}")
    else:
        say(f"{study.name}: all {len(trials)} trials were already in {place}")
    return count


def _is_made_from(results: Path, stage: str, root: Path) -> bool:
    """Whether dvc.lock says that a stage's outputs were made from these results."""
    try:
        stages = read_yaml(root / "dvc.lock")["stages"]
        deps = {entry["path"]: entry["md5"] for entry in stages[stage]["deps"]}
        digest = hashlib.md5(results.read_bytes(), usedforsecurity=False).hexdigest()
    except (OSError, KeyError, TypeError, ConfigError):
        return False
    return deps.get(results.name) == digest


def _studies(
    config: Config, root: Path, snapshot: Path, say: Say, unread: list[SearchError]
) -> Iterator[_LocalStudy]:
    """Tracked live studies, and the snapshot's unless it is one of them.

    An old study that is damaged must not keep the others out of MLflow for ever: why it cannot be
    read is appended to `unread`.
    """
    copy = None
    try:
        copy = _snapshot(config, snapshot)
    except SearchError as error:
        unread.append(error)
    for folder in tracked_folders(root):
        study = read_note(folder)
        try:
            trials = _live_trials(folder, study.live_name, config, root, say)
        except SearchError as error:
            unread.append(error)
            continue
        if copy is not None and study.key in (copy.study.key, copy.study.key + MIXED):
            # The search may have kept its trials in a database that params.yaml does not name.
            trials = {trial.number: trial for trial in copy.trials} | trials
            copy = None
        yield _LocalStudy(study, [trials[number] for number in sorted(trials)], folder)
    if copy is not None:
        yield copy


def _snapshot(config: Config, path: Path) -> _LocalStudy | None:
    """The study in the snapshot; None without one."""
    attributes, trials = read_snapshot(path)
    if not trials:
        return None
    provenance = Fingerprint(attributes["provenance"])
    is_mixed = any(trial.provenance != provenance.digest for trial in trials)
    version = provenance.digest[:12] + MIXED * is_mixed
    identity = Fingerprint(attributes["identity_values"])
    name = f"{Path(config.data.root).resolve().name} {config.hpo.study_name}"
    study = describe_study(name, config.mlflow, identity, provenance, version)
    return _LocalStudy(study, trials)


def _live_trials(
    folder: Path, live_name: str, config: Config, root: Path, say: Say
) -> dict[int, Trial]:
    """Finished trials of a live study by number, also those that are not in its database yet."""
    trials: dict[int, Trial] = {}
    storage = _storage(folder, config, root)
    if storage is not None:
        with open_database(storage, live_name, directions=None) as database:
            trials = {trial.number: trial for trial in database.read_own().trials}
    pending = TrialFiles(folder / "trials")
    for number in pending.numbers():
        if number in trials:
            continue
        try:
            trials[number] = pending.read(number)
        except DamagedTrialError as error:
            say(str(error))
    return trials


def _storage(folder: Path, config: Config, root: Path) -> Storage | None:
    own = folder / "study.db"
    if own.exists():
        return sqlite_storage(own)
    if config.hpo.storage is None:
        return None
    return parse_storage(config.hpo.storage, root.resolve())


def _read_results(path: Path) -> Any:
    try:
        return read_json(path)
    except FileNotFoundError:
        return None
    except ValueError:
        msg = f"{path}: not a results file of the hpo stage; run dvc repro -f -s hpo"
        raise SearchError(msg) from None
