"""Dates in text and of typed columns, as seconds since 1970 in UTC."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from twotower.common.arrays import BoolArray, Float64Array
from twotower.common.units import DAY

FIRST_SECOND, LAST_SECOND = -2_208_988_800, 7_258_118_399
"""1900-01-01 and the last second of 2199."""
ISO_FORM, DAY_FIRST, MONTH_FIRST = "ISO dates", "dates, day first", "dates, month first"
"""Names of the forms in which text may hold dates."""
ISO = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}"
ZONE = r"\s*(UTC|GMT)$"
BLANK = "[\\s\u00a0\u202f]"
"""Unicode's own data of Spanish have one within "p. m.", and browsers one that does not break."""
CLOCK = (
    r"(?:[ T,]+(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2}(?:[.,][0-9]+)?))?"
    rf"{BLANK}*(?P<half>[AaPp]\.?{BLANK}?[Mm]\.?)?)?$"
)
YEAR_FIRST = r"^(?P<a>[0-9]{4})[-/.](?P<b>[0-9]{1,2})[-/.](?P<c>[0-9]{1,2})" + CLOCK
YEAR_LAST = r"^(?P<a>[0-9]{1,2})(?P<mark>[-/.])(?P<b>[0-9]{1,2})[-/.](?P<c>[0-9]{4})" + CLOCK


def stamps(column: pa.Array) -> Float64Array:
    """[num_rows] seconds of typed times, NaN where null or far away."""

    def count(unit: str) -> Float64Array:
        stamps = column.cast(pa.timestamp(unit), safe=False).cast(pa.int64())
        return np.asarray(stamps.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))

    # Far times overflow as microseconds, and no unit overflows as seconds.
    whole = count("s")
    near = (whole >= FIRST_SECOND) & (whole <= LAST_SECOND)
    return np.where(near, count("us") / 1e6, np.nan)


def by_format(text: pa.Array, form: str) -> Float64Array:
    """[num_rows] seconds by a strptime format, NaN where a text does not have it."""
    values: Any = pc.utf8_trim_whitespace(text).to_pandas()
    return _unix(pd.to_datetime(values, format=form, utc=True, errors="coerce"))


def all_iso(text: pa.Array) -> Float64Array | None:
    """[num_rows] seconds if every text is an ISO date without a zone, as most are; else None."""
    if not len(text) or not pc.all(pc.match_substring_regex(text, ISO), min_count=1).as_py():
        return None
    try:
        return stamps(text.cast(pa.timestamp("us")))
    except pa.ArrowInvalid:
        return None


def dates_in_text(text: pa.Array) -> dict[str, Float64Array]:
    """Seconds by each form of dates that any of the texts has, NaN where one has not."""
    text = pc.replace_substring_regex(text, ZONE, "")
    found: dict[str, Float64Array] = {}
    is_iso = pc.match_substring_regex(text, ISO)
    if pc.any(is_iso).as_py():
        found[ISO_FORM] = _iso(pc.if_else(is_iso, text, None))
    missing = ~np.isfinite(found.get(ISO_FORM, np.full(len(text), np.nan)))
    if not missing.any():
        return found
    rest = pc.if_else(pa.array(missing), text, None)
    if (parts := _parts(rest, YEAR_FIRST)) is not None:
        seconds = parts.seconds(year="a", month="b", day="c")
        found[ISO_FORM] = np.where(missing, seconds, found.get(ISO_FORM, seconds))
    if (parts := _parts(rest, YEAR_LAST)) is not None:
        found[DAY_FIRST] = parts.seconds(year="c", month="b", day="a")
        by_month = parts.seconds(year="c", month="a", day="b")
        # Where dates are written with points, the day comes first.
        found[MONTH_FIRST] = np.where(parts.texts("mark") == ".", np.nan, by_month)
    return found


def _iso(text: pa.Array) -> Float64Array:
    """[num_rows] seconds of ISO dates, NaN where `text` is null or not one."""
    for kind in (pa.timestamp("us"), pa.timestamp("us", "UTC")):
        try:
            return stamps(text.cast(kind))
        except pa.ArrowInvalid:
            continue
    # Without a pattern before, pandas would read "now" and "today" as the time of the run.
    values: Any = text.to_pandas()
    return _unix(pd.to_datetime(values, format="ISO8601", utc=True, errors="coerce"))


def _unix(dates: pd.Series) -> Float64Array:
    stamps = dates.dt.tz_localize(None).to_numpy("datetime64[us]").astype(np.int64)
    return np.where(dates.notna(), stamps / 1e6, np.nan)


@dataclass(frozen=True)
class _Parts:
    """The parts of dates by name, null where the whole pattern did not match."""

    matched: BoolArray
    part: Callable[[str], pa.Array]

    def texts(self, name: str) -> Any:
        return self.part(name).to_numpy(zero_copy_only=False)

    def numbers(self, name: str) -> Float64Array:
        """[num_rows] a part as a number, 0 where it is absent, NaN without a match."""
        text = pc.replace_substring(self.part(name), ",", ".")
        text = pc.if_else(pc.equal(text, ""), "0", text)
        return np.asarray(text.cast(pa.float64()).to_numpy(zero_copy_only=False))

    def seconds(self, *, year: str, month: str, day: str) -> Float64Array:
        """[num_rows] seconds since 1970; NaN where there is no such date or time."""
        years, months, days = (np.nan_to_num(self.numbers(name)) for name in (year, month, day))
        hours, minutes, seconds = (self.numbers(name) for name in ("hour", "minute", "second"))
        half = np.char.lower(np.asarray(self.part("half").fill_null("").to_pylist(), dtype=str))
        is_12_hours = np.char.startswith(half, "a") | np.char.startswith(half, "p")
        ok = self.matched & (months >= 1) & (months <= 12) & (days >= 1)
        ok &= np.where(is_12_hours, (hours >= 1) & (hours <= 12), hours < 24)
        ok &= (minutes < 60) & (seconds < 60)
        hours = np.where(is_12_hours, hours % 12 + 12 * np.char.startswith(half, "p"), hours)
        starts = (years - 1970).astype(np.int64) * 12 + np.where(ok, months, 1).astype(np.int64) - 1
        dates = starts.astype("datetime64[M]").astype("datetime64[D]") + (days - 1).astype(np.int64)
        ok &= dates.astype("datetime64[M]").astype(np.int64) == starts
        total = dates.astype(np.int64) * DAY + hours * 3600 + minutes * 60 + seconds
        return np.where(ok, total, np.nan)


def _parts(text: pa.Array, pattern: str) -> _Parts | None:
    """The parts of each text; None if none has the pattern."""
    found = pc.extract_regex(text, pattern)
    matched = np.asarray(found.is_valid().to_numpy(zero_copy_only=False), dtype=bool)
    if not matched.any():
        return None
    return _Parts(matched, lambda name: pc.struct_field(found, name))
