"""Times of events, in whatever form a file has them, as seconds since 1970 in UTC."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from twotower.common.arrays import BoolArray, Float64Array
from twotower.common.choices import Table
from twotower.common.errors import DataError
from twotower.config.data import InteractionsConfig
from twotower.config.raw_files import TIME_UNITS, TimeUnit
from twotower.ingest.convert import as_numbers, as_text
from twotower.ingest.dates import (
    DAY_FIRST,
    FIRST_SECOND,
    ISO_FORM,
    LAST_SECOND,
    MONTH_FIRST,
    all_iso,
    by_format,
    dates_in_text,
    stamps,
)

RECENT = (315_532_800, 4_102_444_800)
"""1980 and 2100: times of events in seconds; in milliseconds and so on they are as far apart as
the units, so that the size of a number tells its unit."""
LATE = 1_956_528_000
"""2032: where most times lie later if they are seconds, they are more likely something else."""
NO_TIME = (0, -1)
"""Numbers that exports write where there is no time."""
KEYS = (
    "data.interactions.time_format and time_unit (for numbers such as 45321,5 also data.decimal) "
    "settle how times are written"
)
RULE = (
    "must be a time between 1900 and 2199 (0 and -1 among later ones mean none), written as in "
    f"most rows ({{form}}); {KEYS}"
)
DIGITS = {8: "%Y%m%d", 10: "%Y%m%d%H", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
"""Dates without punctuation, by their number of digits."""


NUMBERS, DECLARED = "numbers", "time_format"
"""The forms that are not dates in text."""


@dataclass(frozen=True)
class TimeForm:
    """A way to write times that is recognised.

    Attributes:
        name: of the form, for messages and metrics/data.json.
        examples: all of them 2025-12-31 at five past two in the afternoon, or that day.
    """

    name: str
    examples: tuple[str, ...]


TIME_FORMS = Table(
    "data.interactions.time_format",
    TimeForm(
        ISO_FORM,
        ("2025-12-31", "2025-12-31 14:05", "2025-12-31T14:05:00.250Z", "2025-12-31 14:05:00 UTC",
         "2025-12-31T16:05:00+02:00", "2025/12/31 14:05", "2025-12-31 2:05 PM"),
    ),
    TimeForm(DAY_FIRST, ("31/12/2025 14:05", "31.12.2025", "31-12-2025 2:05 p.m.")),
    TimeForm(MONTH_FIRST, ("12/31/2025 14:05", "12/31/2025 2:05:00 PM")),
    TimeForm(NUMBERS, ("1767189900", "1767189900.25", "1767189900250", "20251231", "2025123114",
                         "202512311405", "20251231140500")),
)  # fmt: skip


@dataclass(frozen=True)
class EventTimes:
    """The times of a column.

    Attributes:
        seconds: [num_rows] since 1970, UTC, to the microsecond; 0 where invalid.
        valid: [num_rows] whether the value is a time between 1900 and 2199 and written as most are.
        form: how most are written, in words.
        near_1970: whether numbers were taken for seconds and all lie before 1980, as places in an
            order do, years, days of a spreadsheet, minutes since 1970, and times before it.
        after_2031: whether numbers were taken for seconds and most lie so late, as those of dates
            with two digits for the year do.
        num_early: times before 1980, without a declared unit, where most are later.
    """

    seconds: Float64Array
    valid: BoolArray
    form: str
    near_1970: bool = False
    after_2031: bool = False
    num_early: int = 0


class Times:
    """A column of times that is read in batches; how they are written is decided over all rows."""

    def __init__(self, config: InteractionsConfig, decimal: str | None = None) -> None:
        """Begin without rows.

        Args:
            config: the format and the unit, unless they are to be recognised.
            decimal: mark of numbers in text.
        """
        self._format = config.time_format
        self._unit = TIME_UNITS[config.time_unit] if config.time_unit else None
        self._decimal = decimal
        self._lengths: list[int] = []
        self._read: list[dict[str, Float64Array]] = []

    def add(self, column: pa.Array, where: str) -> None:
        """Take the next rows: seconds, or a number, by each form that any of them has.

        Raises:
            DataError: if the type is neither numeric, nor text, nor a time.
        """
        self._lengths.append(len(column))
        if pa.types.is_timestamp(column.type) or pa.types.is_date(column.type):
            self._read.append({ISO_FORM: stamps(column)})
        elif self._format:
            self._read.append({DECLARED: by_format(as_text(column, where), self._format)})
        else:
            self._read.append(self._recognise(column, where))

    def _recognise(self, column: pa.Array, where: str) -> dict[str, Float64Array]:
        is_text = pa.types.is_string(column.type)
        if is_text and self._unit is None and (dates := all_iso(column)) is not None:
            return {ISO_FORM: dates}
        if pa.types.is_time(column.type):
            msg = (
                f"{where}: values of type {column.type} are times of day without a date; set "
                "data.interactions.columns.timestamp to another column, or false"
            )
            raise DataError(msg)
        numbers = as_numbers(column, where, self._decimal)
        if self._unit is not None or np.isfinite(numbers).all():
            return {NUMBERS: numbers}
        text = pc.utf8_trim_whitespace(as_text(column, where))
        return {NUMBERS: numbers, **dates_in_text(text)}

    def finish(self, where: str) -> EventTimes:
        """Decide how the times are written.

        Raises:
            DataError: if nothing tells the day from the month.
        """
        order = (NUMBERS, DECLARED, ISO_FORM, DAY_FIRST, MONTH_FIRST)
        forms = [form for form in order if any(form in read for read in self._read)]
        columns = {form: self._column(form) for form in forms or order[:1]}
        self._read.clear()
        counts = {form: int(np.isfinite(column).sum()) for form, column in columns.items()}
        form = max(counts, key=lambda name: counts[name])
        seconds = columns[form]
        if form in (DAY_FIRST, MONTH_FIRST):
            _check_order(columns, counts, where)
        if form == DECLARED:
            return _checked(seconds, f"{self._format} (time_format)")
        if form != NUMBERS:
            return _checked(seconds, form)
        return _checked(*_from_numbers(seconds, self._unit), declared=self._unit is not None)

    def _column(self, form: str) -> Float64Array:
        parts = [
            read.get(form, np.full(length, np.nan))
            for read, length in zip(self._read, self._lengths, strict=True)
        ]
        return np.concatenate([np.empty(0), *parts])


def _checked(seconds: Float64Array, form: str, *, declared: bool = False) -> EventTimes:
    valid = (seconds >= FIRST_SECOND) & (seconds < LAST_SECOND + 1)
    if not valid.all():
        seconds = np.where(valid, seconds, 0.0)
    times = EventTimes(seconds, valid, form)
    if declared or not valid.any() or _within(seconds, RECENT[0], LATE):
        return times
    middle = float(np.median(seconds[valid]))
    taken = form == TIME_UNITS["s"].plural
    return replace(
        times,
        near_1970=taken and bool(seconds[valid].max() < RECENT[0]),
        after_2031=taken and middle >= LATE,
        num_early=int((seconds[valid] < RECENT[0]).sum()) if middle >= RECENT[0] else 0,
    )


def _within(numbers: Float64Array, low: float, high: float) -> bool:
    """Whether all numbers are between the two, so that no median need be found."""
    return bool(numbers.min() >= low and numbers.max() < high)


def _check_order(columns: dict[str, Float64Array], counts: dict[str, int], where: str) -> None:
    """Refuse dates such as 01/02/2025 where no row has a day beyond the twelfth."""
    day, month = columns[DAY_FIRST], columns[MONTH_FIRST]
    if counts[DAY_FIRST] == counts[MONTH_FIRST] and not np.array_equal(day, month, equal_nan=True):
        msg = (
            f"{where}: nothing tells the day from the month; set data.interactions.time_format, "
            "e.g. '%d/%m/%Y' or '%m/%d/%Y', with ' %H:%M' or ' %H:%M:%S' after it"
        )
        raise DataError(msg)


def _from_numbers(numbers: Float64Array, unit: TimeUnit | None) -> tuple[Float64Array, str]:
    """Seconds, and what the numbers are: of the declared unit, or by their size."""
    is_finite = np.isfinite(numbers)
    finite = numbers if is_finite.all() else numbers[is_finite]
    if unit is None and (days := _digits(numbers, finite)) is not None:
        return days, "dates without punctuation"
    if unit is not None or not len(finite):
        unit = unit or TIME_UNITS["s"]
        seconds = numbers / unit.per_second + unit.origin
        # A spreadsheet writes so few decimals of a day that a second is not exact.
        return np.round(seconds) if unit.per_second < 1 else seconds, unit.plural
    if _within(finite, *RECENT):
        return numbers, TIME_UNITS["s"].plural
    known = finite[~np.isin(finite, NO_TIME)]
    median = float(np.median(known if len(known) else finite))
    for unit in (TIME_UNITS[name] for name in ("ms", "us", "ns")):
        if RECENT[0] <= median / unit.per_second <= RECENT[1]:
            seconds = numbers / unit.per_second
            recent = (seconds >= RECENT[0]) & (seconds <= RECENT[1])
            return np.where(recent, seconds, np.nan), unit.plural
    if median >= RECENT[0]:
        numbers = np.where(np.isin(numbers, NO_TIME), np.nan, numbers)
    return numbers, TIME_UNITS["s"].plural


def _digits(numbers: Float64Array, finite: Float64Array) -> Float64Array | None:
    """Seconds if at least half of the numbers are dates such as 20240131 or 20240131235959.

    Those of ten digits would be seconds of 2030 to 2039, of which one in a hundred is such a date.

    NaN for the others: taken for seconds, they would turn all dates into days of 1970.
    """

    def has(length: int) -> BoolArray:
        low, high = 1900 * 10 ** (length - 4), 2200 * 10 ** (length - 4)
        inside: BoolArray = (numbers >= low) & (numbers < high)
        return inside & (numbers % 1 == 0) if inside.any() else inside

    length = max(DIGITS, key=lambda length: np.count_nonzero(has(length)))
    rows = has(length)
    if not rows.any():
        return None
    text = pd.Series(numbers[rows].astype(np.int64).astype(str))
    dates = pd.to_datetime(text, format=DIGITS[length], errors="coerce")
    seconds = np.full(len(numbers), np.nan)
    stamps = dates.to_numpy("datetime64[s]").astype(np.int64)
    valid = dates.notna() & (stamps >= FIRST_SECOND) & (stamps <= LAST_SECOND)
    seconds[rows] = np.where(valid, stamps, np.nan)
    return seconds if 2 * int(valid.sum()) >= len(finite) else None
