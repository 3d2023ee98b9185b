"""Ids of the raw data, and the indices that the model uses for them."""

from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd

from twotower.common.arrays import Int64Array
from twotower.data.id_text import IdText


@dataclass(frozen=True)
class Vocabulary:
    """Distinct ids; the position of an id is its index in vectors and embedding tables.

    Attributes:
        ids: distinct int64 or string ids, without nulls.
        text: how ids that are text are written; None: as they are.
    """

    ids: pd.Index
    text: IdText | None = None

    def __post_init__(self) -> None:
        if not self.ids.is_unique or self.ids.hasnans:
            msg = "a vocabulary must hold distinct ids without nulls"
            raise ValueError(msg)

    def __len__(self) -> int:
        return len(self.ids)

    def encode(self, ids: "pd.Series | pd.Index") -> Int64Array:
        """[num_ids] index of each id; -1 for an id that is not in the vocabulary."""
        if len(ids) <= len(self.ids) or pd.api.types.is_integer_dtype(ids.dtype):
            return self.ids.get_indexer(pd.Index(ids)).astype(np.int64)
        codes, distinct = pd.factorize(ids)  # of text that is repeated, each is looked up once
        found = self.ids.get_indexer(pd.Index(distinct))
        return np.append(found, -1)[codes].astype(np.int64)

    def place(self, one: int | str) -> int:
        """The index of one id; -1 if it is not in the vocabulary."""
        try:
            return cast("int", self.ids.get_loc(one))  # the ids are distinct
        except KeyError:
            return -1

    def extend(self, ids: "pd.Series | pd.Index") -> "Vocabulary":
        """This vocabulary followed by the new ids, sorted; existing ids keep their index."""
        new = pd.Index(ids).unique().difference(self.ids, sort=True)
        return Vocabulary(self.ids.append(new), self.text) if len(new) else self
