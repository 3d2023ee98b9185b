"""Finished trials in MLflow, which is imported only where tracking is enabled."""

from twotower.tracking.records import FinishedTrial, SearchInfo, Tracker
from twotower.tracking.tracker import start_tracker
from twotower.tracking.upload_plots import show_plots

__all__ = [
    "FinishedTrial",
    "SearchInfo",
    "Tracker",
    "show_plots",
    "start_tracker",
]
