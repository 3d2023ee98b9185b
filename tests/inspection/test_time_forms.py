from datetime import date, datetime

import pytest

from tests.inspection.columns import column
from twotower.inspection.time_forms import time_form

NOON = 1_735_732_800  # 2025-01-01T12:00:00Z


@pytest.mark.parametrize(
    ("values", "time_format"),
    [
        (["2025-01-01 12:00", "2025-01-31 12:00"], None),
        (["2025-01-01T12:00:00Z"], None),
        (["31/12/2025 14:05", "01/02/2025 00:00"], "%d/%m/%Y %H:%M"),
        (["12/31/2025", "01/02/2025"], "%m/%d/%Y"),
        (["31.12.2025"], "%d.%m.%Y"),
        (["12/31/2025 2:05 PM"], "%m/%d/%Y %I:%M %p"),
        (["31-12-2025 14:05:09.5"], "%d-%m-%Y %H:%M:%S.%f"),
        (["31/12/25"], "%d/%m/%y"),
        (["31-Dec-2025", "01-Jan-2025"], "%d-%b-%Y"),
        (["Dec 31, 2025"], "%b %d, %Y"),
        (["12 31, 2025", "01 2, 2025"], "%m %d, %Y"),
        (["31-DEC-25 02.05.09.5 PM"], "%d-%b-%y %I.%M.%S.%f %p"),
        (["Wed, 31 Dec 2025 14:05:09 +0000"], "%a, %d %b %Y %H:%M:%S %z"),
        (["December 31, 2025"], "%B %d, %Y"),
        (["31/12/2025 14:05", "30/12/2025 14:05:30"], None),  # two forms, which are recognised
    ],
)
def test_format(values: list[str], time_format: str | None) -> None:
    form = time_form(column(values), named=False)
    assert form is not None
    assert (form.format, form.doubts) == (time_format, ())
    assert len(form.seconds) == len(values)


@pytest.mark.parametrize(
    ("factor", "unit"), [(1, None), (1_000, "ms"), (1_000_000, "us"), (1_000_000_000, "ns")]
)
def test_unit(factor: int, unit: str | None) -> None:
    form = time_form(column([str(NOON * factor), str((NOON + 60) * factor)]), named=False)
    assert form is not None
    assert form.unit == unit
    assert form.seconds.tolist() == [NOON, NOON + 60]


@pytest.mark.parametrize("values", [["20250131"], ["20250131235959"]])
def test_dates_without_punctuation(values: list[str]) -> None:
    form = time_form(column(values), named=False)
    assert form is not None
    assert (form.format, form.unit) == (None, None)


@pytest.mark.parametrize("values", [["45658.5", "45659"], ["45658,5", "45659,0"]])
def test_days_of_a_spreadsheet_need_a_name(values: list[str]) -> None:
    assert time_form(column(values), named=False) is None
    form = time_form(column(values), named=True)
    assert form is not None
    assert form.unit == "excel"
    assert form.seconds[0] == NOON


def test_day_or_month_first() -> None:
    form = time_form(column(["01/02/2025", "03/04/2025"], "fecha"), named=True)
    assert form is not None
    assert form.format == "%d/%m/%Y"
    assert "nothing tells the day from the month; the day was taken" in form.doubts[0]
    short = time_form(column(["01/02/25", "03/04/25"]), named=True)
    assert short is not None
    assert (short.format, len(short.doubts)) == ("%d/%m/%y", 1)
    american = time_form(column(["01/02/2025 2:05 PM", "03/04/2025 2:05 AM"]), named=True)
    assert american is not None
    assert american.format == "%m/%d/%Y %I:%M %p"


@pytest.mark.parametrize(
    "values",
    [
        ["1", "2"], ["2019", "2020"], ["0.5"], ["red"], ["14:05", "15:00"], ["R-01", "R-02"],
        ["8412345678901"], ["600112233"], [""], ["192.168.0.1"], ["Toy Story (1995)"],
    ],
)  # fmt: skip
def test_no_times(values: list[str]) -> None:
    assert time_form(column(values), named=False) is None


def test_a_few_that_are_no_times() -> None:
    form = time_form(column(["2025-01-01"] * 199 + ["unknown"]), named=True)
    assert form is not None
    assert form.doubts == ("c: 0.5% of its values are no times",)


def test_times_by_type_and_days() -> None:
    form = time_form(column([date(2025, 1, 1)]), named=False)
    assert form is not None
    assert form.only_days
    assert form.seconds.tolist() == [NOON - 43_200]
    assert time_form(column([["2025-01-01"]]), named=True) is None


def test_cells_without_a_time_do_not_count() -> None:
    form = time_form(column([datetime(2025, 1, 1), None, None]), named=True)
    assert form is not None
    assert (form.name, form.doubts, len(form.seconds)) == ("ISO dates", (), 1)


def test_times_that_cannot_be_read() -> None:
    assert time_form(column([date(2500, 1, 1)]), named=True) is None
