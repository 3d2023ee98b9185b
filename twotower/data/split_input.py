"""What a strategy may split by, and the order of each user's rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from twotower.common.arrays import Int8Array, Int64Array, IntArray, UInt64Array
from twotower.common.hashing import splitmix64
from twotower.common.seeds import derive_seed
from twotower.data.time_order import is_ordered, later_rows, time_order

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class SplitInput:
    """What a strategy may split by.

    Attributes:
        users: [num_rows] code of each row's user, from 0.
        user_ids: gives [num_users] the integer or text id of each code, each of which has a row;
            called by strategies that draw.
        timestamps: [num_rows] int64 seconds since 1970, UTC; rows of equal time are in order.
        given: [num_rows] int8 label that the data gives, or UNSPLIT.
        validation: share of the events to hold out as validation, in [0, 1).
        test: likewise, as test.
        seed: of params.yaml.
        together: whether rows of one user and one moment, a basket, are never parted.
        fold_in: of users who are held out whole, the share of the events that is known, in (0, 1).
        fold_in_by: "time", for the earliest ones, or "random".
    """

    users: IntArray
    user_ids: Callable[[], Sequence[Any]]
    timestamps: Int64Array
    given: Int8Array
    validation: float
    test: float
    seed: int
    together: bool = False
    fold_in: float = 0.8
    fold_in_by: str = "time"

    @classmethod
    def from_frame(
        cls, frame: "pd.DataFrame", *, validation: float, test: float, seed: int, **others: Any
    ) -> "SplitInput":
        """Of interactions with user_id, timestamp and split (the given label)."""
        codes, ids = frame["user_id"].factorize()
        return cls(
            users=codes.astype(np.int64),
            user_ids=ids.tolist,
            timestamps=frame["timestamp"].to_numpy(np.int64),
            given=frame["split"].to_numpy(np.int8),
            validation=validation,
            test=test,
            seed=seed,
            **others,
        )

    @cached_property
    def counts(self) -> Int64Array:
        """[num_users] number of events of each user."""
        return np.bincount(self.users).astype(np.int64)

    @cached_property
    def user_seeds(self) -> UInt64Array:
        """[num_users] seed of each user, below 2**32; it depends on the user's id alone."""
        seeds = [derive_seed(self.seed, "split", user) for user in self.user_ids()]
        return np.array(seeds, dtype=np.uint64)

    @cached_property
    def later(self) -> IntArray:
        """[num_rows] number of the same user's rows after each row, or, `together`, its moment."""
        if self.together:
            return later_rows(self.users, self.timestamps)
        # Half as wide, where the rows are few enough.
        width: Any = np.int32 if len(self.users) < 2**31 else np.int64
        last: IntArray = (np.cumsum(self.counts) - 1).astype(width)
        place: IntArray = np.arange(len(self.users), dtype=width)
        if not is_ordered(self.users, self.timestamps):
            place[time_order(self.users, self.timestamps)] = place.copy()
        later: IntArray = last[self.users]
        later -= place
        return later

    @cached_property
    def later_at_random(self) -> Int64Array:
        """[num_rows] the same after the rows, or moments, of each user are shuffled.

        The order depends on the user's seed and number of events alone.
        """
        place = self.counts[self.users] - 1 - self.later
        keys = (self.user_seeds[self.users] << np.uint64(32)) + place.astype(np.uint64)
        return later_rows(self.users, splitmix64(keys).view(np.int64))
