"""Recommendations from a model folder; needs numpy, pandas and pyarrow, and no torch."""

from twotower.serving.filters import ItemFilter
from twotower.serving.recommender import Recommender
from twotower.serving.results import Recommendations, Source

__all__ = ["ItemFilter", "Recommendations", "Recommender", "Source"]
