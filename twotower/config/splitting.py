"""Sections `guard` and `split`: limits of change, and what is held out."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, NonNegativeFloat, PositiveFloat, model_validator

from twotower.config.section import Section, Text
from twotower.data.splits import SPLIT_STRATEGIES

Fraction = Annotated[float, Field(ge=0, lt=1)]


class GuardConfig(Section):
    """Section `guard`: how much the data may differ from the last run's; null: no limit.

    `data/last_run.json` holds the profile of the last run's data; while it is empty, nothing is
    checked.
    """

    min_rows: NonNegativeFloat | None = 0.9
    """Minimum number of rows, as a multiple of the last run's."""
    max_rows: PositiveFloat | None = 2.0
    """Maximum number of rows, as a multiple of the last run's."""
    max_new_users: Annotated[float, Field(ge=0, le=1)] | None = 0.5
    """Maximum share of users that the last run's data did not have."""
    max_new_items: Annotated[float, Field(ge=0, le=1)] | None = 0.5
    """Maximum share of items that the last run's data did not have."""
    max_days_lost: NonNegativeFloat | None = 30.0
    """Maximum number of days by which the first event is later than the last run's."""
    max_days_back: NonNegativeFloat | None = 0.0
    """Maximum number of days by which the last event is earlier than the last run's."""
    max_days_new: NonNegativeFloat | None = 60.0
    """Maximum number of days by which the last event is later than the last run's."""
    max_event_psi: NonNegativeFloat | None = 0.25
    """Maximum population stability index of the event types' shares of the rows."""
    max_popularity_psi: NonNegativeFloat | None = 0.25
    """Maximum of that index for ten groups of the last run's items, by popularity."""
    max_number_psi: NonNegativeFloat | None = 0.25
    """Maximum of that index for a feature of numbers, in ten groups of the last run's."""
    max_new_categories: Annotated[float, Field(ge=0, le=1)] | None = 0.2
    """Maximum share of a feature's values that are categories which the last run did not have."""
    max_more_missing: Annotated[float, Field(ge=0, le=1)] | None = 0.1
    """Maximum growth of the share of users, or items, without a value of a feature."""


class GivenFiles(Section):
    """Files of a given split, inside `data.root`, each as `data.interactions.file` has it."""

    train: Text | None = None
    """Of the training rows."""
    validation: Text | None = None
    """Of the validation rows."""
    test: Text | None = None
    """Of the test rows."""


class SplitConfig(Section):
    """Section `split`: the test split is held out first, then validation from what is left."""

    strategy: Annotated[str, AfterValidator(SPLIT_STRATEGIES.check)] = "temporal"
    """Which events are held out.

    temporal: each user's latest. cutoff: the latest of all users, from one moment on; users and
    items whose first event is later are cold. random: some of each user's.
    leave_last_out: each user's last. users: whole users, see `fold_in`. given: see `files` and
    `column`. All but `cutoff` and `users` leave every user a training event.
    """
    validation: Fraction = 0.2
    """Share of each user's events, for `cutoff` of all events, for `users` of the users; 0: none.

    At least one event, of each user or of all, or one user; for `leave_last_out` any share is one
    event.
    """
    test: Fraction = 0.1
    """Share that is held out as test, likewise; 0: no test split."""
    ties: Literal["file_order", "together"] = "file_order"
    """Events of one user in one second, such as a basket whose times are dates.

    file_order: one after the other, as in the file. together: never parted, by `temporal`,
    `leave_last_out`, `random` and `users`, which then hold out whole baskets until they have at
    least the share; a user's last training basket stays, so that users with one have nothing held
    out.
    `cutoff` never parts them, and `given` stays as it is.
    """
    fold_in: Annotated[float, Field(gt=0, lt=1)] = 0.8
    """For `users`: share of a held-out user's events by which the user is known.

    Recommendations by these alone are held against the rest; each side has at least one event.
    """
    fold_in_by: Literal["time", "random"] = "time"
    """Which events these are. time: the earliest. random: any, as in published tables."""
    cold_items: Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    """Share of the items to hold out whole, for test and as many again for validation.

    All of their events go to that split, whatever their time. Which items those are depends only
    on their ids and the seed. The metrics then say warm, cold and all: see docs/metrics.md.
    """
    files: GivenFiles = GivenFiles()
    """For `given`: one file per split."""
    column: Text | None = None
    """For `given`, instead of `files`: the column of the interactions file whose values are train,
    validation and test."""

    @model_validator(mode="after")
    def _check_cold_items(self) -> Self:
        if self.cold_items and not SPLIT_STRATEGIES[self.strategy].can_hold_out_items:
            msg = f"cold_items must be 0 with strategy: {self.strategy}, got {self.cold_items:g}"
            raise ValueError(msg)
        if self.cold_items and not (self.validation or self.test):
            msg = "cold_items needs a split to hold items out for: validation or test above 0"
            raise ValueError(msg)
        return self
