"""Finished trials in MLflow; the only importer of mlflow, and only where tracking is enabled."""

from twotower.tracking.records import FinishedTrial, SearchInfo, Tracker
from twotower.tracking.tracker import start_tracker

__all__ = ["FinishedTrial", "SearchInfo", "Tracker", "start_tracker"]
