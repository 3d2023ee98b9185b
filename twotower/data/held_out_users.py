"""Which users are held out whole."""

import numpy as np

from twotower.common.arrays import BoolArray, Int8Array, UInt64Array
from twotower.common.errors import DataError


def held_out_users(
    seeds: UInt64Array, eligible: BoolArray, validation: float, test: float
) -> Int8Array:
    """[num_users] int8: 0 for training, 1 for validation, 2 for test.

    Users with the smallest seeds are those of test, and the next ones those of validation: a seed
    is below its share of 2**32, whoever else is in the data. Where no user's is, the one with the
    smallest seed that is left is taken.

    Args:
        seeds: [num_users] of each user, below 2**32, evenly spread.
        eligible: [num_users] whether a user can be held out.
        validation: share of the users; 0: none.
        test: likewise.

    Raises:
        DataError: if too few users are eligible, or none would be left to train on.
    """
    order = np.flatnonzero(eligible)[np.argsort(seeds[eligible], kind="stable")]
    sorted_seeds = seeds[order]

    def below(share: float) -> int:
        return int(np.searchsorted(sorted_seeds, min(share, 1.0) * 2**32))

    num_test = max(1, below(test)) if test else 0
    num_validation = max(1, below(test + validation) - num_test) if validation else 0
    num_held_out = num_test + num_validation
    if num_held_out > len(order) or num_held_out == len(seeds):
        msg = (
            f"split.strategy: users would hold out {num_held_out:,} of {len(seeds):,} users and "
            f"train on others, but {len(order):,} have two events, or with split.ties: together "
            "events of different times; lower split.validation and split.test, or choose another "
            "split.strategy"
        )
        raise DataError(msg)
    roles = np.zeros(len(seeds), dtype=np.int8)
    roles[order[:num_held_out]] = 1
    roles[order[:num_test]] = 2
    return roles
