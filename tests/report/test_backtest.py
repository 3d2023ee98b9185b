from dataclasses import replace

from tests.backtest.contents import content
from twotower.report.backtest import backtest_section
from twotower.report.page import render
from twotower.report.sources import Sources


def test_a_row_for_each_period() -> None:
    section = backtest_section(content())
    assert section is not None
    assert section.scorers == ["optimized", "never retrained", "default", "ease", "popularity"]
    first, _, last = section.rows
    assert (first.period, first.users) == ("2025-01-01 to 2025-01-02", "1,001")
    assert first.values == ["0.200 [0.150, 0.250]", "0.100", "0.150", "0.140", "0.010"]
    assert last.values == [""] * 5
    assert last.verdict == "left out: nobody is there"


def test_a_scorer_that_a_period_lacks_is_an_empty_cell() -> None:
    scores = [row for row in content()["scores"] if (row["fold"], row["scorer"]) != (2, "ease")]
    section = backtest_section(content(scores=scores))
    assert section is not None
    assert [row.values[3] for row in section.rows] == ["0.140", "", ""]


def test_the_page_has_the_section_where_there_is_a_backtest(sources: Sources, page: str) -> None:
    assert 'id="backtest"' not in page
    page = render(replace(sources, backtest=content()))
    assert '<a href="#backtest">' in page
    assert "at 3 cut-offs in the past, 4 trials each" in page
    assert "A model that is 1 day older: loses 25%" in page
    assert "<td>2025-01-01 to 2025-01-02</td><td>1,001</td>" in page
