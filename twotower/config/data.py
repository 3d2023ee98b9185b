"""Sections `data`, `guard` and `split`: the raw files, limits of change, and held-out events."""

import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)

from twotower.common.choices import OneOf, Table
from twotower.config.raw_files import FORMATS, TIME_UNITS
from twotower.config.section import Section
from twotower.data.splits import SPLIT_STRATEGIES

if TYPE_CHECKING:
    from twotower.data.feature import Feature as FeatureKind

Text = Annotated[str, StringConstraints(min_length=1)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
LARGEST_WEIGHT = 1e30
"""Largest weight of one row, so that a sum over many rows still fits a float32."""


def _table_formats() -> list[str]:
    return [row.name for row in FORMATS.values() if row.side_tables]


def _unescape_tab(value: Any) -> Any:
    return "\t" if value == "\\t" else value


def _check_separator(value: str) -> str:
    if not value or not value.isascii() or set(value) & set('"\r\n'):
        msg = f'must be ASCII characters other than " and line breaks, got {value!r}'
        raise ValueError(msg)
    return value


def _by_position(value: Any) -> Any:
    """Columns without a header are named by their position."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _check_time_format(form: str) -> str:
    import pandas as pd  # takes a moment to import

    try:
        pd.to_datetime([""], format=form, errors="coerce")
    except ValueError as error:
        msg = f"must be a strptime format such as '%d/%m/%Y %H:%M' ({error})"
        raise ValueError(msg) from None
    if not re.search("%[YyGcx]", form):
        msg = f"must have the year (%Y, or %y for two digits), got {form!r}"
        raise ValueError(msg)
    return form


def _false_is_absent(value: Any) -> Any:
    return "" if value is False else value


Separator = Annotated[
    str,
    BeforeValidator(_unescape_tab),
    AfterValidator(_check_separator),
    Field(json_schema_extra={"pattern": r'^[^"\r\n]+$'}),
]


def _or_false(*types: str) -> WithJsonSchema:
    return WithJsonSchema({"anyOf": [{"type": [*types, "null"]}, {"const": False}]})


OptionalName = Annotated[str | None, BeforeValidator(_false_is_absent), _or_false("string")]
"""null: recognised by its usual names; false (or ""): not used."""
_COLUMN = WithJsonSchema({"type": ["string", "integer"], "minLength": 1})
Column = Annotated[Text, BeforeValidator(_by_position), _COLUMN]
OptionalColumn = Annotated[
    OptionalName, BeforeValidator(_by_position), _or_false("string", "integer")
]
IdType = Literal["auto", "integer", "text"]


def _kinds() -> "Table[type[FeatureKind]]":
    from twotower.data.features import KINDS  # pyarrow takes a moment to import

    return KINDS


Kind = Annotated[str, AfterValidator(OneOf(_kinds))]


class FeatureConfig(Section):
    """A declared side feature; `category: categorical` is short for `category: {kind: ...}`."""

    kind: Kind
    """What its values are, see docs/model.md."""
    separator: Text = "|"
    """Between the values of a cell, for kinds that are read from lists."""
    optional: bool = False
    """true: without such a column, the feature is left out and reported; false: an error."""
    normalise: bool = False
    """Of kind vector: whether each vector is divided by its length.

    false: all by one number, which makes their mean squared length 1.
    """
    file: Text | None = None
    """Of kind vector: a NumPy file (.npy) inside `data.root`, a row for each vector.

    null: the vectors are a column of the table.
    """
    ids: Text | None = None
    """Of the vectors in `file`: .npy, .txt (one a line), or a table of one column.

    Vectors of ids that the table lacks are not used.
    """

    @model_validator(mode="after")
    def _check_keys(self) -> Self:
        kinds = {name: kind.keys for name, kind in _kinds().items()}
        given = self.model_dump(exclude_defaults=True)
        for key in given.keys() - {"kind", *kinds[self.kind]}:
            users = [name for name, keys in kinds.items() if key in keys]
            if users:
                msg = f"{key} is for kind: {' or '.join(users)} only, got kind: {self.kind}"
                raise ValueError(msg)
        if (self.file is None) != (self.ids is None):
            msg = "file and ids are needed together: vectors, and whose they are"
            raise ValueError(msg)
        return self


def _expand_feature(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


Feature = Annotated[
    FeatureConfig, BeforeValidator(_expand_feature, json_schema_input_type=Kind | FeatureConfig)
]
Features = dict[Text, Feature]


class InteractionColumns(Section):
    """Column names; null: recognised by their usual names.

    timestamp, event and weight are optional; false: do not use such a column, even if there is one.
    Without a header (`data.header: false`), positions from 1.
    """

    user: Column | None = None
    """Ids of users."""
    item: Column | None = None
    """Ids of items."""
    timestamp: OptionalColumn = None
    """Times; without it, the order of the rows is time order. docs/data.md lists what is read."""
    event: OptionalColumn = None
    """Type of event, see `event_weights`."""
    weight: OptionalColumn = None
    """Weight or rating, at least 0; multiplied by the weight of the event type if both exist."""


class InteractionsConfig(Section):
    """The interactions file."""

    file: Text | None = None
    """Inside `data.root`: a file, a folder of part files, or a pattern such as `part-*.csv`.

    null: recognised by its usual name.
    """
    format: Annotated[str, AfterValidator(FORMATS.check)] | None = None
    """csv, tsv, parquet, jsonl or adjacency; null: by extension, each also with .gz.

    adjacency: one line per user, the user's id and then item ids, separated by white space (or by
    `data.separator`), without a header; a user may have no items.
    """
    columns: InteractionColumns = InteractionColumns()
    """Names of its columns."""
    time_format: Annotated[Text, AfterValidator(_check_time_format)] | None = None
    """Of times that are text, as strptime has it (`%d/%m/%Y %H:%M`); null: recognised."""
    time_unit: Annotated[str, AfterValidator(TIME_UNITS.check)] | None = None
    """Of times that are numbers, since 1970 in UTC: s, ms, us, ns, min, h or d.

    excel: days of a spreadsheet.

    null: recognised by size; 20251231, 2025123114 and 20251231140500 are dates.
    """

    @model_validator(mode="after")
    def _check_times(self) -> Self:
        if self.time_format and self.time_unit:
            msg = "time_format and time_unit exclude each other: times are text or numbers"
            raise ValueError(msg)
        return self


class TableConfig(Section):
    """The users or the items table; only its id and its declared columns are read."""

    file: OptionalName = None
    """As that of the interactions; null: recognised, and required only if features are declared.

    false: do not use a table, even if the folder has one.
    """
    format: Annotated[str, AfterValidator(OneOf(_table_formats))] | None = None
    """csv, tsv, parquet or jsonl; null: by extension."""
    id: Column | None = None
    """Column of the ids; null: recognised by its usual name."""
    id_type: IdType = "auto"
    """auto: integers if all ids are, in table and interactions, else text.

    integer: any other id is an invalid row; text: 7 and 7.0 are two ids.
    """
    features: Features = Field(default_factory=dict)
    """Columns to use as side features, and their kinds."""


class ItemTableConfig(TableConfig):
    """The items table, which may also say what the items are called."""

    title: Column | None = None
    """Column that people know items by, for `twotower report` alone: no model sees it.

    Without such a column, or if it is null, items are shown by their ids.
    """


class DataConfig(Section):
    """Section `data`: the raw files, and how they are read."""

    root: Text = "data/sample"
    """Folder of the raw files, relative to the repository or absolute; without the outputs."""
    separator: Separator | None = None
    """Column separator of text files; null: a comma for .csv, a tab for .tsv.

    If it is set, files with any other extension are read as text too.
    """
    header: bool = True
    """Whether text files begin with column names; false: columns are named 1, 2, …"""
    encoding: Text = "utf-8"
    """Encoding of text files; a byte-order mark of UTF-8 or UTF-16 is always accepted."""
    decimal: Literal[".", ","] | None = None
    """Decimal mark of numbers in text; the other one, blanks or apostrophes may group thousands.

    null: a point, and a comma is an error.
    """
    unicode: Literal["as_is", "nfc"] = "as_is"
    """nfc: ids that look alike are one, whether an accent is a character of its own or not.

    Recommendation requests are treated like the data. Blanks around ids never count.
    """
    on_invalid: Literal["error", "drop"] = "error"
    """What to do with rows that break a rule: stop with an error, or drop, count and report them.

    Of rows with the same id in a users or items table, the first is kept. A user or item whose row
    is dropped is unknown, so its interactions are dropped as well. An invalid number or vector of a
    feature does not drop the row: the value counts as missing.
    """
    sample: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the users to keep, chosen by a stable hash of the user id and the seed."""
    repeats: Literal["keep", "merge"] = "keep"
    """Repeated (user, item) pairs: keep all rows, or merge them: weights summed, latest time.

    Merged within each split, so that a held-out row never removes a training row.
    """
    event_weights: dict[Text, Annotated[float, Field(gt=0, le=LARGEST_WEIGHT)]] = Field(
        default_factory=lambda: {"view": 1.0, "click": 2.0, "cart": 3.0, "purchase": 4.0}
    )
    """Weight of each event type.

    Other spellings of the four default types, in five languages, are recognised: see docs/data.md.
    """
    interactions: InteractionsConfig = InteractionsConfig()
    """The file of interactions."""
    users: TableConfig = TableConfig()
    """The table of users, optional."""
    items: ItemTableConfig = ItemTableConfig()
    """The table of items, optional."""


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
    leave_last_out: each user's last. given: see `files` and `column`. All but `cutoff` leave
    every user a training event.
    """
    validation: Fraction = 0.2
    """Share of each user's events, for `cutoff` of all events; 0: no validation split.

    At least one event, of each user or of all; for `leave_last_out` any share is one event.
    """
    test: Fraction = 0.1
    """Share that is held out as test, likewise; 0: no test split."""
    ties: Literal["file_order", "together"] = "file_order"
    """Events of one user in one second, such as a basket whose times are dates.

    file_order: one after the other, as in the file. together: never parted, by `temporal`,
    `leave_last_out` and `random`, which then hold out whole baskets until they have at least the
    share; a user's last training basket stays, so that users with one have nothing held out.
    `cutoff` never parts them, and `given` stays as it is.
    """
    files: GivenFiles = GivenFiles()
    """For `given`: one file per split."""
    column: Text | None = None
    """For `given`, instead of `files`: the column of the interactions file whose values are train,
    validation and test."""
