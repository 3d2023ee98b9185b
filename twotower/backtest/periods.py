"""The periods of a backtest: when each fold's test begins and ends."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from twotower.common.bounded import shown
from twotower.common.errors import ConfigError, DataError
from twotower.common.units import DAY

UNITS = {"h": DAY // 24, "d": DAY, "w": 7 * DAY}
"""Seconds of each unit of `--every`."""


@dataclass(frozen=True)
class Fold:
    """One cut-off; all times are seconds since 1970, UTC.

    Attributes:
        number: from 1, the earliest.
        validation_start: from here to `start`, rows are the validation split; before, train.
        start: the cut-off. From here to `end`, rows are the test split.
        end: the first second that is no part of the fold.
    """

    number: int
    validation_start: int
    start: int
    end: int


def period_seconds(text: str) -> int:
    """Seconds of a length such as 12h, 7d or 4w.

    Raises:
        ConfigError: if it is no such length.
    """
    found = re.fullmatch(r"([1-9]\d{0,5})([hdw])", text.strip())
    if found is None:
        msg = f"--every: {shown(text)} is no length of time; write e.g. 12h, 7d or 4w"
        raise ConfigError(msg)
    return int(found[1]) * UNITS[found[2]]


def folds_of(first: int, last: int, every: int, count: int) -> list[Fold]:
    """The folds, the earliest first; the test of the last one ends with the last event.

    Fold i of n is cut at `last + 1 - (n - i + 1) * every`. Its validation split is the period
    before the cut-off, as long as the one that it is tested on.

    Args:
        first: time of the first event.
        last: time of the last event.
        every: length of a period, in seconds.
        count: number of folds.

    Raises:
        ConfigError: if there are no events before the first fold's validation split.
    """
    end = last + 1
    if end - (count + 1) * every <= first:
        most = (last - first) // every - 1
        advice = f"at most {most:,} folds fit" if most > 0 else "choose a shorter --every"
        msg = (
            f"--folds {count:,} of {length_text(every)} take {count + 1:,} such periods, one "
            f"of them to validate the first, and events before them to train on, but the data has "
            f"{length_text(end - first)} in all; {advice}"
        )
        raise ConfigError(msg)
    starts = [end - (count - number) * every for number in range(count)]
    return [
        Fold(number, start - every, start, start + every) for number, start in enumerate(starts, 1)
    ]


def check_times(first: int, last: int, *, has_times: bool) -> None:
    """Insist on events of different times.

    Raises:
        DataError: naming the key that settles it.
    """
    if not has_times:
        msg = "a backtest needs the time of each event; set data.interactions.columns.timestamp"
        raise DataError(msg)
    if first == last:
        msg = f"a backtest needs events of different times, but all are of {moment_text(first)}"
        raise DataError(msg)


def length_text(seconds: int) -> str:
    """A length of time in its largest whole unit up to days: 28 days, 12 hours."""
    if seconds >= DAY:
        count, unit = seconds / DAY, "day"
    else:
        count, unit = seconds / UNITS["h"], "hour"
    return f"{count:,.1f}".removesuffix(".0") + f" {unit}{'' if count == 1 else 's'}"


def period_text(start: str, end: str) -> str:
    """Its days, and the times if it has parts of days: 2025-12-03 to 2025-12-31.

    Args:
        start: as `moment_text` has it.
        end: likewise.
    """
    if start[10:] == end[10:]:
        return f"{start[:10]} to {end[:10]}"
    return f"{start} to {end}"


def moment_text(seconds: int) -> str:
    """2025-12-31 22:32 (UTC)."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M")
