"""The whole pipeline in Python, from data frames to a recommender: `twotower.fit`."""

from twotower.notebook.fitted import FittedRecommender, fit

__all__ = ["FittedRecommender", "fit"]
