"""The rows of all splits, encoded by the catalogue of the final model."""

from dataclasses import dataclass

import numpy as np

from twotower.common.arrays import Int64Array
from twotower.data.interactions import Interactions


@dataclass(frozen=True)
class EncodedSplits:
    """Every split as indices; -1 for what the final model does not know.

    Attributes:
        train: rows that the search trained on.
        validation: rows that the search was scored on.
        test: rows that the final model is scored on.
        known: rows that the final model was trained on.
        num_users: of the catalogue.
        num_items: likewise.
    """

    train: Interactions
    validation: Interactions
    test: Interactions
    known: Interactions
    num_users: int
    num_items: int

    @property
    def timed(self) -> bool:
        """Whether the data has times; without, all are 0."""
        return bool(self.known.timestamp.any() or self.test.timestamp.any())

    def item_counts(self) -> Int64Array:
        """[num_items] training rows of each item."""
        return np.bincount(self.known.item_idx, minlength=self.num_items)

    def user_counts(self) -> Int64Array:
        """[num_users] training rows of each user."""
        return np.bincount(self.known.user_idx, minlength=self.num_users)

    def later_share(self) -> float | None:
        """Share of the training rows later than the average test event; None without times."""
        if not (self.timed and len(self.test)):
            return None
        return float((self.known.timestamp > self.test.timestamp.mean()).mean())
