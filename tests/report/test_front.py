"""The section on the Pareto front: only where the search had several objectives."""

import html
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.plots.searches import of_objectives, random_trials, write_search
from twotower.plots.drawn_search import DrawnSearch, read_search
from twotower.report.front import FrontRow, front_section
from twotower.report.page import render
from twotower.report.sources import Sources


@pytest.fixture
def several(tmp_path: Path) -> DrawnSearch:
    trials, keys = of_objectives(
        [(0.1, 0.4), (0.2, 0.5), (0.05, 0.3), (0.02, 0.2)],
        {"recall_at_10": "maximize", "gini_at_10": "minimize"},
    )
    return read_search(write_search(tmp_path, trials, **keys))


def test_the_table_has_the_front_and_marks_the_chosen_trial(several: DrawnSearch) -> None:
    section = front_section(several)

    assert section is not None
    assert section.labels == ["Recall@10", "Gini index@10 (lower is better)"]
    assert section.rows == [
        FrontRow(1, ["0.2000", "0.5000"], is_allowed=True, is_chosen=False),
        FrontRow(0, ["0.1000", "0.4000"], is_allowed=True, is_chosen=True),
        FrontRow(2, ["0.0500", "0.3000"], is_allowed=True, is_chosen=False),
        FrontRow(3, ["0.0200", "0.2000"], is_allowed=False, is_chosen=False),
    ]


def test_the_page_says_what_was_traded_for_what(sources: Sources, several: DrawnSearch) -> None:
    page = render(replace(sources, search=several))
    section = page[page.index('<section id="front">') : page.index('<section id="search">')]
    text = html.unescape(re.sub(r"<script.*?</script>", "", section, flags=re.DOTALL))
    text = text.replace("\u00a0", " ")

    assert '<a href="#front">' in page
    assert (
        "<p>Trial 0 gives up 50 % of Recall@10 (0.2 to 0.1) for 20 % less Gini index@10 "
        "(0.5 to 0.4).</p>" in text
    )
    assert "the chosen one has the highest sum of Recall@10 and Gini index@10" in text
    assert '<tr class="model"><th scope="row">0 (chosen)</th><td>0.1000</td><td>0.4000</td>' in text
    assert section.count('id="chart-pareto_front"') == 1


def test_a_search_of_one_objective_has_no_such_section(tmp_path: Path) -> None:
    assert front_section(read_search(write_search(tmp_path, random_trials(2)))) is None
