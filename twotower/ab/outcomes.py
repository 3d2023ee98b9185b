"""What became of each user of an experiment, and which of them count."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from twotower.ab.events import UserEvents
from twotower.common.arrays import BoolArray, Float64Array, Int64Array
from twotower.common.choices import Table
from twotower.common.errors import DataError

if TYPE_CHECKING:
    from twotower.ab.exposures import Exposures


@dataclass(frozen=True)
class Outcome:
    """A number for each user.

    Attributes:
        name: after --outcome.
        summary: one line for help and documents.
        of: from [n] number of events and [n] sum of their weights, [n] the outcome.
        needs_weights: whether a column of weights is needed.
    """

    name: str
    summary: str
    of: Callable[[Float64Array, Float64Array], Float64Array]
    needs_weights: bool = False


OUTCOMES = Table(
    "--outcome",
    Outcome("users", "1 if there is an event, else 0", lambda events, _: np.minimum(events, 1.0)),
    Outcome("events", "how many events", lambda events, _: events),
    Outcome("value", "sum of the weights of the events", lambda _, weights: weights, True),
)


@dataclass(frozen=True)
class UserOutcomes:
    """The users of both arms whose window has passed.

    Attributes:
        control: [n] outcomes.
        treatment: [m] outcomes.
        left_out: users that do not count, by reason.
    """

    control: Float64Array
    treatment: Float64Array
    left_out: Mapping[str, int]


def user_outcomes(
    exposures: "Exposures", events: UserEvents, outcome: Outcome, window: float, end: float
) -> UserOutcomes:
    """Outcomes of the users whose window ended by `end`, from their first exposure on.

    If items that were recommended are known, only events on these count, from when they first were
    recommended to the user.

    Args:
        exposures: users and arms.
        events: of these users.
        outcome: what is made of the events of a user.
        window: seconds.
        end: seconds since 1970, UTC, up to which all events are known.

    Raises:
        DataError: if the outcome needs weights and there are none, or no user's window has passed.
    """
    if outcome.needs_weights and not events.has_weights:
        msg = (
            f"--outcome {outcome.name}: the events have no column of weights; "
            "set data.interactions.columns.weight, or choose another outcome"
        )
        raise DataError(msg)
    in_both = exposures.in_control & exposures.in_treatment
    is_early = ~in_both & (exposures.first + window > end)
    counted = ~in_both & ~is_early
    if not counted.any():
        msg = (
            "no user counts: for none of them the whole window has passed before the last event; "
            "wait, or take a shorter --window"
        )
        raise DataError(msg)
    during = _during(exposures, events, window)
    users = events.users[during]
    values = outcome.of(
        _sums(users, np.ones(len(users)), len(counted)),
        _sums(users, events.weights[during], len(counted)),
    )
    return UserOutcomes(
        control=values[counted & exposures.in_control],
        treatment=values[counted & exposures.in_treatment],
        left_out={
            "in both arms": int(in_both.sum()),
            "whose window has not passed": int(is_early.sum()),
        },
    )


def _during(exposures: "Exposures", events: UserEvents, window: float) -> BoolArray:
    """[num_rows] whether an event is in its user's window."""
    after = events.times - exposures.first[events.users]
    during: BoolArray = (after >= 0) & (after < window)
    if exposures.recommended is not None:
        during &= exposures.recommended.at(events.users, events.items, events.times)
    return during


def _sums(users: Int64Array, values: Float64Array, num_users: int) -> Float64Array:
    return np.bincount(users, weights=values, minlength=num_users).astype(np.float64)
