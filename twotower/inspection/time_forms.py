"""How the times of a column are written."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from twotower.common.arrays import Float64Array
from twotower.common.errors import DataError
from twotower.common.units import DAY
from twotower.config.data import InteractionsConfig
from twotower.config.raw_files import TIME_UNITS
from twotower.ingest.dates import ISO_FORM
from twotower.ingest.times import Times
from twotower.inspection.column import Column

VALID = 0.98
"""Share of the values that must be times."""
SPREADSHEET = (20_000, 80_000)
"""Days of a spreadsheet, 1954 to 2119."""
LIKELY = (788_918_400, 2_051_222_400)
"""1995 and 2035 in seconds: numbers in a column that no name tells to be of times."""
NUMBER = r"^[0-9]+([.,][0-9]+)?$"
DIGIT = r"[0-9]"
CLOCK = re.compile(
    r"(?:(?P<gap>T|,? )(?P<hour>\d{1,2})(?P<mark>[:.])\d{2}"
    r"(?P<second>(?P=mark)\d{2})?(?P<part>\.\d+)?"
    r"(?P<half> ?[AaPp][Mm])?(?P<zone> ?(?:UTC|GMT|Z|[+-]\d{2}:?\d{2}))?)?"
)
DATES = (
    (r"\d{1,2}([-/.])\d{1,2}[-/.]\d{4}", "%d{0}%m{0}%Y", "%m{0}%d{0}%Y"),
    (r"\d{1,2}([-/.])\d{1,2}[-/.]\d{2}", "%d{0}%m{0}%y", "%m{0}%d{0}%y"),
    (r"\d{1,2}([-/ ])[A-Z][A-Za-z]{2}[-/ ]\d{4}", "%d{0}%b{0}%Y"),
    (r"\d{1,2}([-/ ])[A-Z][A-Za-z]{2}[-/ ]\d{2}", "%d{0}%b{0}%y"),
    (r"[A-Z][a-z]{2}(,) \d{1,2} [A-Z][a-z]{2} \d{4}", "%a{0} %d %b %Y"),
    (r"\d{1,2}( )\d{1,2}, \d{4}", "%m{0}%d, %Y"),
    (r"[A-Z][a-z]{2}( )\d{1,2}, ?\d{4}", "%b{0}%d, %Y"),
    (r"[A-Z][a-z]{2}( )\d{1,2} ?\d{4}", "%b{0}%d %Y"),
    (r"[A-Z][a-z]{3,}( )\d{1,2}, ?\d{4}", "%B{0}%d, %Y"),
)
"""Patterns of dates, and the strptime formats that they may have; {0} is what joins the parts."""


@dataclass(frozen=True)
class TimeForm:
    """How the times of a column are written.

    Attributes:
        name: in words.
        format: of strptime; None: needs none.
        unit: a value of data.interactions.time_unit; None: needs none.
        example: one of the values.
        seconds: [num_times] of the values that are times, since 1970 in UTC.
        doubts: sentences about what is not sure.
    """

    name: str
    format: str | None
    unit: str | None
    example: str
    seconds: Float64Array
    doubts: tuple[str, ...] = ()

    @property
    def only_days(self) -> bool:
        """Whether no value has a time of day."""
        return len(self.seconds) > 0 and not (self.seconds % DAY).any()


def time_form(column: Column, *, named: bool) -> TimeForm | None:
    """How the times of a column are written; None if they are no times.

    Args:
        column: not blank everywhere, or the result is None.
        named: whether the column is called like one of times; if not, numbers must be of 1995 to
            2035, and never count as days of a spreadsheet.
    """
    if column.is_list or column.is_nested or not len(column.filled):
        return None
    if column.is_time or column.share(NUMBER) > VALID:
        return _of_numbers(column, named=named)
    return _of_text(column) if column.share(DIGIT) >= VALID else None


def order_form(column: Column) -> TimeForm | None:
    """Small numbers, which give the order at least; None if the pipeline would refuse them."""
    form = _read(column, is_order=True)
    return form and replace(form, name="numbers")


def _of_text(column: Column) -> TimeForm | None:
    """Dates that are recognised, with their exact format where all have one; else by a format."""
    try:
        form = _read(column)
    except DataError:  # nothing tells the day from the month
        return _by_format(column)
    if form is None or form.name == ISO_FORM:
        return form or _by_format(column)
    exact = (_read(column, time_format=each) for each in _formats(str(column.filled[0])))
    return next((each for each in exact if each and not each.doubts), form)


def _by_format(column: Column) -> TimeForm | None:
    """The first format that reads the dates: the day first, unless there is AM or PM.

    With these Americans write.
    """
    forms = [_read(column, time_format=each) for each in _formats(str(column.filled[0]))]
    found = [form for form in forms if form is not None]
    if len(found) < 2:
        return found[0] if found else None
    is_american = column.share(r"[AaPp]\.?[Mm]") > 0
    form, first = (found[1], "month") if is_american else (found[0], "day")
    doubt = f"{column.name}: nothing tells the day from the month; the {first} was taken as first"
    return replace(form, doubts=(*form.doubts, doubt))


def _of_numbers(column: Column, *, named: bool) -> TimeForm | None:
    form = _read(column)
    if form is not None and not named and not column.is_time:
        middle = float(np.median(form.seconds))
        form = form if LIKELY[0] <= middle <= LIKELY[1] else None
    if form is None and named and not column.is_time:
        numbers = column.own_numbers
        if SPREADSHEET[0] <= np.nanmin(numbers) and np.nanmax(numbers) <= SPREADSHEET[1]:
            return _read(column, time_unit="excel")
    return form


def _read(
    column: Column,
    time_format: str | None = None,
    time_unit: str | None = None,
    *,
    is_order: bool = False,
) -> TimeForm | None:
    """The times as the pipeline reads them with these parameters; None if it reads too few.

    None, too, if all lie near 1970, unless they are but an order.

    Raises:
        DataError: if nothing tells the day from the month.
    """
    config = InteractionsConfig(time_format=time_format, time_unit=time_unit)
    times = Times(config, column.decimal)
    values = column.values.drop_null() if column.is_time else column.filled
    for chunk in values.chunks:
        times.add(chunk, column.name)
    read = times.finish(column.name)
    share = float(read.valid.mean())
    if share < VALID or (read.near_1970 and not is_order):
        return None
    unit = next((unit.name for unit in TIME_UNITS.values() if unit.plural == read.form), None)
    lacking = f"{100 * (1 - share):.2g}%"
    doubts = () if share == 1 else (f"{column.name}: {lacking} of its values are no times",)
    return TimeForm(
        time_format or read.form,
        time_format,
        None if unit == "s" else unit,
        str(column.filled[0]),
        read.seconds[read.valid],
        doubts,
    )


def _formats(value: str) -> Iterator[str]:
    """The strptime formats that a date may have, day first."""
    for pattern, *formats in DATES:
        match = re.match(pattern, value)
        clock = match and CLOCK.fullmatch(value[match.end() :])
        if match and clock is not None:
            for each in formats:
                yield each.format(match[1]) + _clock_format(clock)


def _clock_format(clock: re.Match[str]) -> str:
    if not clock["hour"]:
        return ""
    hour = "%I" if clock["half"] else "%H"
    mark = clock["mark"]
    second = f"{mark}%S" if clock["second"] else ""
    part = ".%f" if clock["part"] else ""
    half = " %p" if (clock["half"] or "").startswith(" ") else "%p" if clock["half"] else ""
    zone = re.sub(r"[+-].*", "%z", clock["zone"] or "")
    return f"{clock['gap']}{hour}{mark}%M{second}{part}{half}{zone}"
