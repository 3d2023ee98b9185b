"""What MLflow costs a search: the same search without and with tracking, in turn.

Each search is `stages/hpo.py` as a user runs it, on the sample data, in a folder of its own, with
the default store, a SQLite file. It is timed from the start of the first trial to the end of the
process: start-up, with and without importing MLflow, does not count; the wait at the end does.
"""

import tempfile
import time
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path

import optuna

from benchmarks.measured import Cost, Line, Scale, in_turn
from benchmarks.project import prepared_project, run_stage
from twotower.config.reporting import MlflowConfig
from twotower.search.store.storage_url import sqlite_storage
from twotower.tracking.mlflow_store import open_experiment

optuna.logging.set_verbosity(optuna.logging.ERROR)

TRIALS = 20
ROUNDS: dict[Scale, int] = {"quick": 3, "full": 7}


def search(parent: Path, *, tracked: bool) -> Cost:
    """Of a search in a new folder; the wall time is that from the start of the first trial.

    Args:
        parent: of the folder.
        tracked: whether MLflow has its trials; its store is there before the search.
    """
    folder = prepared_project(Path(tempfile.mkdtemp(dir=parent)), {"hpo.n_trials": TRIALS})
    if tracked:
        open_experiment(MlflowConfig(), folder)
    whole = run_stage("hpo", folder, *["--mlflow-tracking"] * tracked)
    end = time.time()
    (database,) = folder.glob(".hpo/*/*/study.db")
    study = optuna.load_study(study_name=None, storage=sqlite_storage(database).optuna_url)
    started = min(trial.datetime_start for trial in study.trials if trial.datetime_start)
    return Cost(end - started.astimezone(UTC).timestamp(), whole.cpu, whole.peak)


def lines(scale: Scale) -> Iterator[Line]:
    """A search with tracking beside one without."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        parent = Path(name)
        runs = {
            "tracked": lambda: search(parent, tracked=True),
            "plain": lambda: search(parent, tracked=False),
        }
        costs = in_turn(runs, ROUNDS[scale])
    yield Line(
        f"search of {TRIALS} trials on the sample, in MLflow",
        "s",
        aim=1.1,
        ours=costs["tracked"].wall,
        limit=costs["plain"].wall,
        against="without MLflow",
    )
