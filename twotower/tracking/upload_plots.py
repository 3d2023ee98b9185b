"""Plots at the run of the search that they were made of."""

import json
import sys
from pathlib import Path

from twotower.common.paths import repository_root
from twotower.config.outputs import MlflowConfig
from twotower.tracking.journal import is_result_of, read_note, tracked_folders
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
    drawn = json.loads(results.read_text(encoding="utf-8"))
    for tracked in map(read_note, tracked_folders(root)):
        if is_result_of(drawn, tracked):
            from twotower.tracking.mlflow_run import SearchRun

            SearchRun(tracked.config, root, tracked.search).upload([folder])
            return
