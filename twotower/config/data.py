"""Section `data`: the raw files, and how they are read."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    WithJsonSchema,
    model_validator,
)

from twotower.common.bounded import shown
from twotower.common.choices import OneOf
from twotower.config.declared_features import Features
from twotower.config.fetched import (
    DatabaseUrl,
    check_alone,
    check_no_password,
    check_origins,
    origin_of,
)
from twotower.config.raw_files import FORMATS, TIME_UNITS
from twotower.config.section import Section, Text

LARGEST_WEIGHT = 1e30
"""Largest weight of one row, so that a sum over many rows still fits a float32."""


def _table_formats() -> list[str]:
    return [row.name for row in FORMATS.values() if row.side_tables]


def _unescape_tab(value: Any) -> Any:
    return "\t" if value == "\\t" else value


def _check_separator(value: str) -> str:
    if not value or not value.isascii() or set(value) & set('"\r\n'):
        msg = f'must be ASCII characters other than " and line breaks, got {shown(value)}'
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
        msg = f"must have the year (%Y, or %y for two digits), got {shown(form)}"
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

    file: Annotated[Text, AfterValidator(check_no_password)] | None = None
    """Inside `data.root`: a file, a folder of part files, or a pattern such as `part-*.csv`.

    null: recognised by its usual name. A URL such as `s3://bucket/events.parquet`: what
    `twotower fetch` copies into `data.root`, see docs/warehouses.md.
    """
    query: Text | None = None
    """SQL whose rows `twotower fetch` writes into `data.root`; runs on `data.source`."""
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
        check_alone(self.query, self.file, self.format)
        return self


class TableConfig(Section):
    """The users or the items table; only its id and its declared columns are read."""

    file: Annotated[OptionalName, AfterValidator(check_no_password)] = None
    """As that of the interactions; null: recognised, and required only if features are declared.

    false: do not use a table, even if the folder has one.
    """
    query: Text | None = None
    """As that of the interactions."""
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

    @model_validator(mode="after")
    def _check_query(self) -> Self:
        check_alone(self.query, self.file, self.format)
        return self


class ItemTableConfig(TableConfig):
    """The items table, which may also say what the items are called."""

    title: Column | None = None
    """Column that people know items by, for `twotower report` alone: no model sees it.

    Without such a column, or if it is null, items are shown by their ids.
    """


class DataConfig(Section):
    """Section `data`: the raw files, and how they are read."""

    root: Text = "data/sample"
    """Folder of the raw files, relative to the repository or absolute; without the outputs.

    With a query or a URL it is the folder of what `twotower fetch` writes, and of nothing else.
    """
    source: DatabaseUrl | None = None
    """Database of the queries, as SQLAlchemy writes URLs: `postgresql://user@host/database`,
    `sqlite:///file`, `duckdb:///file`, or another whose package is installed.

    Without a password: `${NAME}` stands for the environment variable of that name. Relative paths
    are relative to the repository. `duckdb://` reads files and buckets.
    """
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

    @property
    def tables(self) -> dict[str, InteractionsConfig | TableConfig]:
        """The interactions, users and items, by these names."""
        return {"interactions": self.interactions, "users": self.users, "items": self.items}

    @property
    def origins(self) -> dict[str, dict[str, str]]:
        """Of each table that is fetched, its query with the source, or its URL."""
        found = {name: origin_of(self.source, table) for name, table in self.tables.items()}
        return {name: origin for name, origin in found.items() if origin}

    @model_validator(mode="after")
    def _check_origins(self) -> Self:
        check_origins(self.source, self.tables)
        return self
