"""References that a model must beat, behind the same protocol as the model."""

from twotower.baselines.popularity import Popularity

__all__ = ["Popularity"]
