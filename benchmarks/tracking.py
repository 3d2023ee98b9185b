"""What MLflow costs a search: the same search without and with tracking, in turns.

    python -m benchmarks.tracking                  # the default store, a SQLite file
    python -m benchmarks.tracking --uri http://127.0.0.1:5000
    python -m benchmarks.tracking --rounds 5 --trials 20

Each search is `stages/hpo.py` as a user runs it, on the sample data, in a folder of its own. It is
timed from the start of the first trial to the end of the process: start-up, with and without
importing MLflow, does not count; the wait at the end does. Rounds alternate which of the two comes
first. The goal: less than 10 % more at the median; the fastest round of each is the better measure
where other programs disturb some of the rounds.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC
from pathlib import Path

import optuna
import yaml

from twotower.config import load_config
from twotower.config.reporting import MlflowConfig
from twotower.data.prepared import PREPARED
from twotower.ingest import prepare
from twotower.search.store.storage_url import sqlite_storage
from twotower.tracking.mlflow_store import open_experiment

optuna.logging.set_verbosity(optuna.logging.ERROR)

REPOSITORY = Path(__file__).parent.parent
GOAL = 0.1


def new_folder(parent: Path, trials: int, uri: str | None) -> Path:
    """A folder with parameters and prepared data."""
    folder = Path(tempfile.mkdtemp(dir=parent))
    params = yaml.safe_load((REPOSITORY / "params.yaml").read_text(encoding="utf-8"))
    params["hpo"]["n_trials"] = trials
    params["mlflow"]["tracking_uri"] = uri
    (folder / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    shutil.copytree(parent / PREPARED, folder / PREPARED)
    return folder


def search(folder: Path, *flags: str) -> float:
    """Seconds from the start of the first trial to the end of the process."""
    command = [sys.executable, str(REPOSITORY / "stages" / "hpo.py"), *flags]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    subprocess.run(command, cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    end = time.time()
    (database,) = folder.glob(".hpo/*/*/study.db")
    study = optuna.load_study(study_name=None, storage=sqlite_storage(database).optuna_url)
    started = min(trial.datetime_start for trial in study.trials if trial.datetime_start)
    return end - started.astimezone(UTC).timestamp()


def measure(parent: Path, rounds: int, trials: int, uri: str | None) -> list[tuple[float, float]]:
    """Seconds without and with tracking of each round."""
    times = []
    for number in range(rounds):
        took = {}
        for is_tracked in (False, True) if number % 2 == 0 else (True, False):
            folder = new_folder(parent, trials, uri)
            if is_tracked:
                open_experiment(MlflowConfig(tracking_uri=uri), folder)
            took[is_tracked] = search(folder, *["--mlflow-tracking"] * is_tracked)
        plain, tracked = took[False], took[True]
        times.append((plain, tracked))
        print(f"round {number}: {plain:6.2f} s without, {tracked:6.2f} s with tracking")
    return times


def report(times: Sequence[tuple[float, float]]) -> bool:
    """Print the fastest and the median times; return whether the medians reach the goal."""
    costs = {}
    for name, choose in (("fastest", min), ("medians", statistics.median)):
        plain, tracked = (choose(column) for column in zip(*times, strict=True))
        costs[name] = tracked / plain - 1
        print(f"{name}: {plain:.2f} s, {tracked:.2f} s: {costs[name]:+.1%}")
    reached = costs["medians"] < GOAL
    print(f"goal, medians below {GOAL:.0%}: {'reached' if reached else 'missed'}")
    return reached


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--uri", help="MLflow store; by default a SQLite file in each folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        parent = Path(name)
        config = load_config(
            REPOSITORY / "params.yaml", {"data.root": str(REPOSITORY / "data" / "sample")}
        )
        prepare(config, parent / PREPARED, parent / "data.json")
        times = measure(parent, arguments.rounds, arguments.trials, arguments.uri)
    raise SystemExit(0 if report(times) else 1)


if __name__ == "__main__":
    main()
