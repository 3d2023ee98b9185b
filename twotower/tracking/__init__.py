"""Finished trials in MLflow, which is imported only where tracking is enabled."""

from twotower.tracking.plots import show_plots
from twotower.tracking.records import FinishedTrial, SearchInfo, Tracker
from twotower.tracking.store import repository_root
from twotower.tracking.tracker import start_tracker

__all__ = [
    "FinishedTrial",
    "SearchInfo",
    "Tracker",
    "repository_root",
    "show_plots",
    "start_tracker",
]
