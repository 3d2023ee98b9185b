"""The finished trials of live studies, read without touching them."""

import json
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from twotower.common.errors import SearchError
from twotower.search.store.database import open_only_study
from twotower.search.store.storage_url import sqlite_storage
from twotower.search.store.trial_files import TrialFiles
from twotower.search.trial import Trial


def stored_trials(live: Path) -> dict[int, str]:
    """Number of every finished trial below `.hpo`, and what is stored of it, with its times.

    Raises:
        SearchError: if a database or a trial file is damaged.
    """
    trials: dict[int, Trial] = {}
    for folder in live.glob("*/*/trials"):
        files = TrialFiles(folder)
        trials.update((number, files.read(number)) for number in files.numbers())
    for database in live.glob("*/*/study.db"):
        trials.update((trial.number, trial) for trial in _in_database(database))
    return {n: json.dumps(trials[n].to_json(), sort_keys=True) for n in sorted(trials)}


def _in_database(path: Path) -> list[Trial]:
    """Of a copy: a killed writer leaves a journal, which whoever opens the database plays back."""
    with tempfile.TemporaryDirectory(prefix="study-") as folder:
        for name in (path.name, f"{path.name}-journal"):
            if path.with_name(name).exists():
                shutil.copy(path.with_name(name), folder)
        copy = Path(folder, path.name)
        try:
            with open_only_study(sqlite_storage(copy)) as study:
                return study.trials()
        except SearchError:
            if _is_without_trials(copy):  # killed while it was made
                return []
            raise


def _is_without_trials(path: Path) -> bool:
    try:
        with closing(sqlite3.connect(path)) as database:
            return not database.execute("SELECT count(*) FROM trials").fetchone()[0]
    except sqlite3.OperationalError as error:
        return "no such table" in str(error)
