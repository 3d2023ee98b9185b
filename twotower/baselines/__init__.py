"""References that a model must beat, behind the same protocol as the model."""

from twotower.baselines.ease import EASE
from twotower.baselines.item_knn import ItemKNN
from twotower.baselines.popularity import Popularity
from twotower.baselines.recency import RecencyPopularity

__all__ = ["EASE", "ItemKNN", "Popularity", "RecencyPopularity"]
