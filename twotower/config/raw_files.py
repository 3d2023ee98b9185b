"""Choices of raw files: their formats, and what times that are numbers count."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from twotower.common.choices import Table, lazy


@dataclass(frozen=True)
class FileFormat:
    """A format of raw data.

    Attributes:
        name: its value of `format`.
        summary: one line for the docs.
        open: makes a twotower.ingest.sources.source.Source of a path and the `data` section.
        extensions: file extensions by which it is recognised, each also with .gz.
        side_tables: whether a users or items table may have it.
    """

    name: str
    summary: str
    open: Callable[..., Any]
    extensions: tuple[str, ...] = ()
    side_tables: bool = True


FORMATS = Table(
    "data.interactions.format",
    FileFormat(
        "csv",
        "text with a separator, a comma unless `data.separator` says otherwise",
        lazy("twotower.ingest.sources.text:open_csv"),
        (".csv",),
    ),
    FileFormat(
        "tsv",
        "the same with a tab",
        lazy("twotower.ingest.sources.text:open_tsv"),
        (".tsv",),
    ),
    FileFormat(
        "parquet",
        "columns with types",
        lazy("twotower.ingest.sources.parquet:open_parquet"),
        (".parquet",),
    ),
    FileFormat(
        "jsonl",
        "one JSON object per line, whose keys are the columns",
        lazy("twotower.ingest.sources.json_lines:open_json_lines"),
        (".jsonl", ".ndjson"),
    ),
    FileFormat(
        "adjacency",
        "interactions only: each line a user, then the user's items",
        lazy("twotower.ingest.sources.adjacency:open_adjacency"),
        side_tables=False,
    ),
)


@dataclass(frozen=True)
class TimeUnit:
    """What times that are numbers count.

    Attributes:
        name: its value of `time_unit`.
        plural: in words.
        per_second: units in a second.
        origin: seconds from 1970 to its zero, UTC.
    """

    name: str
    plural: str
    per_second: float
    origin: int = 0


TIME_UNITS = Table(
    "data.interactions.time_unit",
    TimeUnit("s", "seconds", 1),
    TimeUnit("ms", "milliseconds", 1e3),
    TimeUnit("us", "microseconds", 1e6),
    TimeUnit("ns", "nanoseconds", 1e9),
    TimeUnit("min", "minutes", 1 / 60),
    TimeUnit("h", "hours", 1 / 3_600),
    TimeUnit("d", "days", 1 / 86_400),
    # A spreadsheet counts days from the end of 1899.
    TimeUnit("excel", "spreadsheet days", 1 / 86_400, -2_209_161_600),
)
