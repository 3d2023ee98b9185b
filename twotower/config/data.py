"""Sections `data`, `guard` and `split`: what the raw files are, what may change, who sees what."""

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    StringConstraints,
)

from twotower.config.section import Section
from twotower.data.splits import SPLIT_STRATEGIES

Text = Annotated[str, StringConstraints(min_length=1)]
FileFormat = Literal["csv", "tsv", "parquet", "adjacency"]
FeatureKind = Literal["categorical", "multi_valued", "numeric"]
Fraction = Annotated[float, Field(ge=0, lt=1)]
LARGEST_WEIGHT = 1e30
"""Of one row, so that a sum over many rows still fits a float32."""


def _unescape_tab(value: Any) -> Any:
    return "\t" if value == "\\t" else value


def _check_separator(value: str) -> str:
    if len(value) != 1 or not value.isascii() or value in '"\r\n':
        msg = f"must be one ASCII character, neither a quote nor a line break, got {value!r}"
        raise ValueError(msg)
    return value


def _false_is_absent(value: Any) -> Any:
    return "" if value is False else value


Separator = Annotated[str, BeforeValidator(_unescape_tab), AfterValidator(_check_separator)]
OptionalName = Annotated[str | None, BeforeValidator(_false_is_absent)]
"""null: recognised by its usual English or Spanish names; false (or ""): there is none."""


class FeatureConfig(Section):
    """A declared side feature; `category: categorical` is short for `category: {kind: ...}`."""

    kind: FeatureKind
    separator: Text = "|"
    """Between the values of a multi_valued feature."""
    optional: bool = False
    """Whether data without such a column is used without the feature; prepare says so."""


def _expand_feature(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


Features = dict[Text, Annotated[FeatureConfig, BeforeValidator(_expand_feature)]]


class InteractionColumns(Section):
    """Names in the interactions file; null: recognised by their usual English or Spanish names.

    The three optional columns may be set to false, so that a column is not used by accident.
    """

    user: Text | None = None
    item: Text | None = None
    timestamp: OptionalName = None
    """Seconds since 1970 or ISO dates; without it, file order is time order."""
    event: OptionalName = None
    """Type of event, see `event_weights`."""
    weight: OptionalName = None
    """Weight or rating, from 0; multiplied by the event's weight if there are both."""


class InteractionsConfig(Section):
    """The interactions file."""

    file: Text | None = None
    """Inside `data.root`; null: recognised by its usual English or Spanish name."""
    format: FileFormat | None = None
    """null: by the file's extension (.csv, .tsv, .parquet, each also with .gz).

    adjacency: a line a user, the user's id and then item ids, separated by white space (or by
    `data.separator`), without header; a line may hold only a user.
    """
    columns: InteractionColumns = InteractionColumns()


class TableConfig(Section):
    """The users or the items table; only its id and its declared features are read."""

    file: OptionalName = None
    """Inside `data.root`; null: recognised, and it may be absent if it declares no features.

    false: there is none, whatever the folder holds.
    """
    format: Literal["csv", "tsv", "parquet"] | None = None
    id: Text | None = None
    features: Features = Field(default_factory=dict)


class DataConfig(Section):
    """Section `data`."""

    root: Text = "data/sample"
    """Folder of the raw files, relative to the repository or absolute; holds no outputs."""
    separator: Separator | None = None
    """Column separator of text files; null: a comma for .csv, a tab for .tsv.

    If it is set, files of any other extension are read as text too.
    """
    encoding: Text = "utf-8"
    """Of text files; a UTF-8 byte-order mark is always tolerated."""
    on_invalid: Literal["error", "drop"] = "error"
    """What to do with rows that break a rule: stop, or drop them, counted and reported.

    Of rows with the same id in a users or items table, the first stays. An entity whose row is
    dropped is unknown, so its interactions are dropped as well. A numeric feature that is no
    number drops its cell only: the value is missing.
    """
    sample: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the users to keep, chosen by a stable hash of the user id and the seed."""
    repeats: Literal["keep", "merge"] = "keep"
    """Repeated (user, item) pairs: keep every row, or one row with weights summed, latest time.

    Merged within each split, so that no held-out row takes one away from training.
    """
    event_weights: dict[Text, Annotated[float, Field(gt=0, le=LARGEST_WEIGHT)]] = Field(
        default_factory=lambda: {"view": 1.0, "click": 2.0, "cart": 3.0, "purchase": 4.0}
    )
    """Weight of each event type; usual English and Spanish spellings of these four are known."""
    interactions: InteractionsConfig = InteractionsConfig()
    users: TableConfig = TableConfig()
    items: TableConfig = TableConfig()


class GuardConfig(Section):
    """Section `guard`: how much the data may differ from the last run's; null: by any amount.

    `data/last_run.json` holds what is compared with; as long as it is empty, nothing is.
    """

    min_rows: NonNegativeFloat | None = 0.9
    """Rows, as a multiple of the last run's."""
    max_rows: PositiveFloat | None = 2.0
    max_new_users: Annotated[float, Field(ge=0, le=1)] | None = 0.5
    """Share of the users that the last run did not have."""
    max_new_items: Annotated[float, Field(ge=0, le=1)] | None = 0.5
    max_days_lost: NonNegativeFloat | None = 30.0
    """Days by which the first event may be later than the last run's."""
    max_days_back: NonNegativeFloat | None = 0.0
    """Days by which the last event may be earlier than the last run's."""
    max_days_new: NonNegativeFloat | None = 60.0
    """Days by which the last event may be later than the last run's."""


class GivenFiles(Section):
    """Files of a split that is already given, inside `data.root`."""

    train: Text | None = None
    validation: Text | None = None
    test: Text | None = None


class SplitConfig(Section):
    """Section `split`: the test split is cut first, then validation from what is left."""

    strategy: Annotated[str, AfterValidator(SPLIT_STRATEGIES.check)] = "temporal"
    """Which events are held out, see twotower/data/splits.py.

    temporal: each user's latest. cutoff: the latest of all users, from one moment on; users and
    items whose first event is later are unknown to training. random: some of each user's.
    leave_last_out: each user's last. given: see `files` and `column`. All but `cutoff` leave
    every user a training event.
    """
    validation: Fraction = 0.2
    """Share of each user's events, for `cutoff` of all events; 0: no validation split.

    At least one event, of each user or of all; for `leave_last_out` any share is one event.
    """
    test: Fraction = 0.1
    """Likewise."""
    files: GivenFiles = GivenFiles()
    """For `given`: one file a split ..."""
    column: Text | None = None
    """... or the column of the interactions file that says train, validation or test."""
