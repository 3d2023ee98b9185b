"""Identifiers as the user knows them, and the row numbers that the model uses."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from twotower.common.arrays import Int64Array


@dataclass(frozen=True)
class Vocabulary:
    """Distinct ids; the position of an id is its index in vectors and embedding tables.

    Attributes:
        ids: distinct int64 or string ids, without nulls.
    """

    ids: pd.Index

    def __post_init__(self) -> None:
        if not self.ids.is_unique or self.ids.hasnans:
            msg = "a vocabulary holds distinct ids without nulls"
            raise ValueError(msg)

    def __len__(self) -> int:
        return len(self.ids)

    def encode(self, ids: "pd.Series | pd.Index") -> Int64Array:
        """Index of each id; -1 for an id that the vocabulary lacks."""
        return self.ids.get_indexer(pd.Index(ids)).astype(np.int64)

    def extend(self, ids: "pd.Series | pd.Index") -> "Vocabulary":
        """This vocabulary followed by the ids it lacks, sorted; known ids keep their index."""
        new = pd.Index(ids).unique().difference(self.ids, sort=True)
        return Vocabulary(self.ids.append(new)) if len(new) else self
