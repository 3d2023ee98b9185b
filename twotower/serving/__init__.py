"""Recommendations from a model folder; needs numpy, pandas and pyarrow.

Torch only reads the histories of new users for a sequence tower, and encodes new items.
"""

from twotower.serving.filters import ItemFilter
from twotower.serving.new_items import EncodedItems
from twotower.serving.recommendations import Recommendations, Source
from twotower.serving.recommender import Recommender

__all__ = ["EncodedItems", "ItemFilter", "Recommendations", "Recommender", "Source"]
