"""Times in every form that is read, and those that nothing tells apart."""

import datetime as dt

import pyarrow as pa
import pytest

from twotower.common.errors import ConfigError, DataError
from twotower.config import parse_config
from twotower.config.data import InteractionsConfig
from twotower.ingest.times import TIME_FORMS, EventTimes, Times

MIDNIGHT = 1_704_067_200
"""2024-01-01T00:00:00Z: `date -u -d 2024-01-01 +%s`."""
FIVE_PAST_TWO = 1_767_189_900
"""2025-12-31T14:05:00Z."""


def read(values, kind=None, *, decimal=None, **config) -> EventTimes:
    """The times of a column whose rows come one by one."""
    whole = pa.array(values, kind)
    times = Times(InteractionsConfig(**config), decimal)
    for row in range(len(whole)):
        times.add(whole.slice(row, 1), "f")
    return times.finish("f")


def seconds(values, kind=None, **config) -> list[float | None]:
    """Seconds of each row, None where it is invalid."""
    got = read(values, kind, **config)
    rows = zip(got.seconds.tolist(), got.valid.tolist(), strict=True)
    return [value if valid else None for value, valid in rows]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1704067200", MIDNIGHT),
        ("1704067200.9", MIDNIGHT + 0.9),
        ("-1", -1),
        ("-0.5", -0.5),
        ("2024-01-01", MIDNIGHT),
        (" 2024-01-01 00:00:00 ", MIDNIGHT),
        ("2024-01-01T00:00:00Z", MIDNIGHT),
        ("2024-01-01T00:00:00.999999", MIDNIGHT + 0.999999),
        ("2024-01-01T02:00:00+02:00", MIDNIGHT),
        ("1969-12-31T23:59:59.5", -0.5),
        ("2199-12-31 23:59:59.5", 7_258_118_399.5),
        ("1900-01-01", -2_208_988_800),
        ("2024-01-01 12:00 AM", MIDNIGHT),
        ("2024-1-1 0:00", MIDNIGHT),
        ("31/12/2025 02:05 p. m.", FIVE_PAST_TWO),
        ("12/31/2025, 2:05:00\u202fPM", FIVE_PAST_TWO),
        ("2025-12-31 02:05 p.\u00a0m.", FIVE_PAST_TWO),
    ],
)
def test_one_time(value, expected):
    assert seconds([value]) == [expected]


@pytest.mark.parametrize(
    ("form", "example"), [(row.name, text) for row in TIME_FORMS.values() for text in row.examples]
)
def test_documented_examples(form, example):
    (got,) = seconds([example])
    assert got - FIVE_PAST_TWO in (0, 0.25, -300, -(14 * 3600 + 300))
    assert form in ("numbers", read([example]).form)


@pytest.mark.parametrize(
    "value",
    ["", "now", "today", "yesterday", "2024-13-01", "2024-02-30", "31/02/2025", "1/1/25", "13:05",
     "2200-01-01", "0001-01-01", "9999-12-31", "nan", "inf", "2024-01-01 25:00:00", None,
     "2025-12-31 13:05 PM", "31/12/2025 14:60", "1. Januar 2025"],
)  # fmt: skip
def test_not_a_time(value):
    assert seconds([value], pa.string()) == [None]


def test_of_two_kinds_the_more_frequent_is_valid():
    assert [s is None for s in seconds(["2024-01-01", "20240102", "2024-01-03T00:00+02:00"])] == [
        False,
        True,
        False,
    ]
    assert seconds(["1704067200", "", "2024-01-03", "5"]) == [MIDNIGHT, None, None, 5]


def test_day_and_month_are_told_apart_over_all_rows():
    second, first = MIDNIGHT + 31 * 86_400, MIDNIGHT + 86_400
    assert seconds(["01/02/2024", "31/01/2024"]) == [second, MIDNIGHT + 30 * 86_400]
    assert seconds(["01/02/2024", "01/31/2024"]) == [first, MIDNIGHT + 30 * 86_400]
    assert seconds(["01.02.2024"]) == [second]
    assert seconds(["01/01/2024 12:00:00 a.m."]) == [MIDNIGHT]
    for ambiguous in (["01/02/2024"], ["01/02/2024", "31/01/2024", "01/31/2024"]):
        with pytest.raises(DataError, match=r"f: nothing tells the day .*\.time_format"):
            read(ambiguous)


def test_a_declared_format():
    assert seconds(["2024", "x", "2024-01-01"], time_format="%Y") == [MIDNIGHT, None, None]
    assert seconds([2024], time_format="%Y") == [MIDNIGHT]
    assert seconds(["01/02/2024"], time_format="%m/%d/%Y") == [MIDNIGHT + 86_400]
    assert seconds(["2024-01-01 +0100"], time_format="%Y-%m-%d %z") == [MIDNIGHT - 3600]
    assert read(["2024"], time_format="%Y").form == "%Y (time_format)"


@pytest.mark.parametrize(
    ("config", "rule"),
    [
        ({"time_format": "%Q"}, "'Q' is a bad directive"),
        ({"time_format": "%d/%m/%Y %"}, "must be a strptime format such as"),
        ({"time_format": "%H:%M"}, "must have the year"),
        ({"time_format": "%Y", "time_unit": "s"}, "exclude each other"),
    ],
)
def test_a_declaration_that_cannot_be(config, rule):
    with pytest.raises(ConfigError, match=rf"data\.interactions.*{rule}"):
        parse_config({"data": {"interactions": config}})


@pytest.mark.parametrize(("factor", "unit"), [(1, "s"), (1e3, "ms"), (1e6, "us"), (1e9, "ns")])
def test_units_are_recognised_by_size_and_can_be_declared(factor, unit):
    written = [str(int(MIDNIGHT * factor)), str(int((MIDNIGHT + 5) * factor))]
    assert seconds(written) == [MIDNIGHT, MIDNIGHT + 5]
    assert seconds([str(int(5 * factor))], time_unit=unit) == [5]


@pytest.mark.parametrize("factor", [1e3, 1e6, 1e9])
def test_a_number_of_another_unit_is_invalid(factor):
    recognised = [str(int(MIDNIGHT * factor))] * 2
    assert seconds([*recognised, str(MIDNIGHT), "0"]) == [MIDNIGHT, MIDNIGHT, None, None]
    assert seconds([str(MIDNIGHT)] * 2 + recognised[:1]) == [MIDNIGHT, MIDNIGHT, None]


def test_days_of_a_spreadsheet():
    assert seconds(["45292.58681", "45292.58679"], time_unit="excel") == [
        MIDNIGHT + 50_700,
        MIDNIGHT + 50_699,
    ]
    assert seconds(["45292.5"], time_unit="excel") == [MIDNIGHT + 43_200]
    assert seconds(["45292,5"], time_unit="excel", decimal=",") == [MIDNIGHT + 43_200]
    assert seconds(["2024-01-01", "45292"], time_unit="excel") == [None, MIDNIGHT]


@pytest.mark.parametrize("value", ["45321.5", "2019", "202401", "17", "29453165", "-86400000"])
def test_numbers_near_1970_are_said_to_be(value):
    assert read([value]).near_1970
    assert not read([value], time_unit="s").near_1970
    assert not read([value, str(MIDNIGHT)]).near_1970


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "Europe/Madrid"])
def test_parquet_times(unit, zone):
    moment = dt.datetime(2024, 1, 1, tzinfo=dt.UTC if zone else None)
    assert seconds([moment, None], pa.timestamp(unit, zone)) == [MIDNIGHT, None]


@pytest.mark.parametrize("far", [2**63 - 1, 2**62, -(2**62), -(2**63) + 1])
@pytest.mark.parametrize("unit", ["ms", "us"])
def test_far_parquet_times_do_not_come_round_to_near_ones(unit, far):
    assert seconds([far, 0], pa.timestamp(unit)) == [None, 0]


def test_parquet_dates_and_numbers():
    assert seconds([dt.date(2024, 1, 1)]) == [MIDNIGHT]
    assert seconds([MIDNIGHT]) == [MIDNIGHT]
    assert seconds([MIDNIGHT * 1000]) == [MIDNIGHT]
    for kind in (pa.time32("s"), pa.time64("us")):
        with pytest.raises(DataError, match=r"type time.* without a date; .*columns\.timestamp"):
            read([dt.time(1)], kind)


@pytest.mark.parametrize("type_", [pa.string(), pa.int64(), pa.float64()])
def test_dates_without_hyphens(type_):
    days = pa.array(["19991231", "20240229", None]).cast(type_)
    assert seconds(days) == [946_598_400, 1_709_164_800, None]


@pytest.mark.parametrize("other", [20240230, 18991231, 22000101, 5, 20240101.5])
def test_a_number_among_dates_without_hyphens_is_invalid(other):
    assert seconds([20240131.0, float(other)]) == [1_706_659_200, None]
    assert seconds([20240131.0, float(other), float(other)])[1:] == [other, other]


def test_hours_without_punctuation():
    assert seconds(["2024010113", "2024010100", "1767189900"]) == [
        MIDNIGHT + 46_800,
        MIDNIGHT,
        None,
    ]
    assert seconds([2024010113]) == [MIDNIGHT + 46_800]
    # Seconds of 2034, half of which are no such dates.
    assert seconds([2024010113, 2024010199, 2024019913])[0] == 2_024_010_113


def test_seconds_that_are_late_are_said_to_be():
    assert read(["2401010030", "2401010031", "1704067200"]).after_2031
    assert not read(["2401010030"], time_unit="s").after_2031
    assert not read(["2401010030"], time_format="%y%m%d%H%M").after_2031
    assert not read(["1704067200", "1704067200", "2401010030"]).after_2031


@pytest.mark.parametrize("factor", [1, 1e3, 1e6, 1e9])
def test_zero_and_minus_one_among_recent_numbers_are_no_times(factor):
    recent = [str(int(MIDNIGHT * factor))] * 2
    assert seconds([*recent, "0", "-1", "0", "0"]) == [MIDNIGHT, MIDNIGHT] + 4 * [None]
    assert seconds(["0", "1", "2", "-1"]) == [0, 1, 2, -1]
    assert seconds([str(MIDNIGHT), "0"], time_unit="s") == [MIDNIGHT, 0]


def test_stray_early_times_are_counted():
    assert read([str(MIDNIGHT)] * 3 + ["5", "86400"]).num_early == 2
    assert read(["2024-01-01", "2024-01-02", "1970-01-01"]).num_early == 1
    assert read(["1975-01-01"]).num_early == 0
    assert read([str(MIDNIGHT)] * 2 + ["5"], time_unit="s").num_early == 0


@pytest.mark.parametrize(("factor", "unit"), [(60, "min"), (3600, "h"), (86_400, "d")])
def test_coarse_units_can_be_declared(factor, unit):
    assert seconds([str(MIDNIGHT // factor)], time_unit=unit) == [MIDNIGHT]
