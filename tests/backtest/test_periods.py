import pytest

from twotower.backtest.periods import (
    Fold,
    check_times,
    folds_of,
    length_text,
    moment_text,
    period_seconds,
    period_text,
)
from twotower.common.errors import ConfigError, DataError
from twotower.common.units import DAY


@pytest.mark.parametrize(
    ("text", "seconds"), [("12h", 43_200), ("7d", 604_800), ("4w", 2_419_200), (" 1d ", DAY)]
)
def test_lengths(text: str, seconds: int) -> None:
    assert period_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "7", "d", "0d", "-1d", "1.5d", "7 d", "1m", "7D", "9999999d"])
def test_what_is_no_length_is_one_line(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^--every: .* is no length of time; write e\.g\. 12h"):
        period_seconds(text)


def test_folds_by_hand() -> None:
    # The end is 100, after the last event; tests are [80, 90) and [90, 100).
    assert folds_of(0, 99, every=10, count=2) == [Fold(1, 70, 80, 90), Fold(2, 80, 90, 100)]


def test_the_first_fold_needs_an_event_to_train_on() -> None:
    # 8 folds and a period to validate on take 90 of 100 seconds, 9 folds all of them.
    assert folds_of(0, 99, every=10, count=8)[0].validation_start == 10
    with pytest.raises(ConfigError, match=r"^--folds 9 of .* take 10 such .*at most 8 folds"):
        folds_of(0, 99, every=10, count=9)
    # An event more, and the validation split of the first begins one second after the first event.
    assert folds_of(0, 100, every=10, count=9)[0].validation_start == 1


def test_a_period_longer_than_the_data() -> None:
    with pytest.raises(ConfigError, match="choose a shorter --every"):
        folds_of(0, 99, every=60, count=1)


def test_events_need_different_times() -> None:
    with pytest.raises(DataError, match=r"set data\.interactions\.columns\.timestamp"):
        check_times(0, 0, has_times=False)
    with pytest.raises(DataError, match="all are of 1970-01-02 00:00"):
        check_times(DAY, DAY, has_times=True)
    check_times(0, 1, has_times=True)


def test_texts() -> None:
    assert [length_text(s) for s in (3600, 43_200, DAY, 28 * DAY)] == [
        "1 hour", "12 hours", "1 day", "28 days",
    ]  # fmt: skip
    assert length_text(12_345 * DAY + DAY // 2) == "12,345.5 days"
    assert moment_text(90_060) == "1970-01-02 01:01"
    assert period_text("2025-01-01 22:00", "2025-01-08 22:00") == "2025-01-01 to 2025-01-08"
    halves = "2025-01-01 10:00 to 2025-01-01 22:00"
    assert period_text(*halves.split(" to ")) == halves
