"""Plots at the run of the search that they were made of."""

import json
import sys
from pathlib import Path

from twotower.config.outputs import MlflowConfig
from twotower.tracking.journal import read_note, tracked_folders
from twotower.tracking.store import repository_root
from twotower.tracking.tracker import CLOSE_SECONDS, SYNC, call_within, explain


def show_plots(config: MlflowConfig, results: Path, folder: Path) -> None:
    """Upload plots if tracking is enabled; what fails costs one warning.

    Args:
        config: section `mlflow`.
        results: of the search; the plots belong to its identity.
        folder: of the plots.
    """
    if not config.enabled:
        return
    root = repository_root()
    try:
        call_within(CLOSE_SECONDS, lambda: _upload(root, results, folder))
    except Exception as error:  # whatever it is, the plots are there
        line = f"warning: MLflow lacks the plots: {explain(error)}; {SYNC} catches up"
        print(line, file=sys.stderr)  # noqa: T201 - for whoever runs the stage


def _upload(root: Path, results: Path, folder: Path) -> None:
    identity = json.loads(results.read_text(encoding="utf-8"))["identity"]
    for study in tracked_folders(root, identity):
        from twotower.tracking.mlflow_run import SearchRun

        tracked = read_note(study)
        SearchRun(tracked.config, root, tracked.search).upload([folder])
        return
