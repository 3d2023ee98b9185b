"""One offline page of a finished pipeline: verdict, search, data and recommendations."""

from twotower.report.page import write_report

__all__ = ["write_report"]
