"""Small inputs of split strategies."""

from collections.abc import Iterable

import numpy as np
from hypothesis import strategies as st

from twotower.data.split_input import SplitInput
from twotower.data.splits import UNSPLIT

FRACTIONS = st.sampled_from([0.0, 0.1, 0.2, 0.29, 1 / 3, 0.5, 0.9, 0.999])
TOGETHER = st.booleans()
EVENTS = st.lists(st.tuples(st.integers(0, 4), st.integers(-2, 2)), max_size=60)


def events_of(
    events: list[tuple[int, int]], validation: float, test: float, *, together: bool = False
) -> SplitInput:
    """(user, time) pairs; a user's id is its code."""
    users = np.array([user for user, _ in events], dtype=np.int64)
    return SplitInput(
        users=users,
        user_ids=lambda: range(int(users.max(initial=-1)) + 1),
        timestamps=np.array([time for _, time in events], dtype=np.int64),
        given=np.full(len(users), UNSPLIT, dtype=np.int8),
        validation=validation,
        test=test,
        seed=0,
        together=together,
    )


def moments_of(times: Iterable[int], validation: float, test: float) -> SplitInput:
    """Events of one user."""
    return events_of([(0, time) for time in times], validation, test)
