from collections.abc import Callable
from pathlib import Path

import pytest

from tests.plots.searches import SPACE, random_trials, trial, write_search
from twotower.plots.drawn_search import DrawnSearch, read_search
from twotower.report.search_charts import draw_curves, draw_parameters
from twotower.search.trial import Trial


@pytest.fixture
def search(tmp_path: Path) -> Callable[..., DrawnSearch]:
    """Write and read a search: search(rows)."""
    return lambda rows: read_search(write_search(tmp_path, rows))


def test_each_parameter_that_varies_has_a_chart(search: Callable[..., DrawnSearch]) -> None:
    rows = random_trials(8)
    charts = {chart.name: chart.figure for chart in draw_parameters(search(rows))}
    assert sorted(charts) == ["parameter_batch_size", "parameter_dim", "parameter_lr"]  # one loss
    dots = charts["parameter_lr"].data[0]
    assert list(dots.x) == pytest.approx([row["params"]["lr"] for row in rows])
    assert list(dots.y) == pytest.approx([row["value"] for row in rows])
    best = max(range(8), key=lambda number: rows[number]["value"])
    assert [size > 8 for size in dots.marker.size] == [number == best for number in range(8)]
    assert charts["parameter_lr"].layout.xaxis.type == "log"


def test_categories_are_in_the_order_of_the_space(search: Callable[..., DrawnSearch]) -> None:
    rows = [trial(0.1, batch_size=512), trial(0.2, batch_size=128)]
    (chart,) = draw_parameters(search(rows))
    assert chart.figure is not None
    assert chart.figure.layout.xaxis.categoryarray == ("128", "512")  # 256 was not tried
    assert SPACE["batch_size"]["choices"] == [128, 256, 512]


def test_a_short_logarithmic_axis_names_its_ends(search: Callable[..., DrawnSearch]) -> None:
    rows = [trial(0.1, lr=0.001), trial(0.2, lr=0.00444)]
    (chart,) = draw_parameters(search(rows))
    assert chart.figure is not None
    assert chart.figure.layout.xaxis.tickvals == (0.001, 0.0021, 0.0044)


def test_failed_trials_are_left_out(search: Callable[..., DrawnSearch]) -> None:
    rows = [trial(0.1, dim=8), trial(0.2, dim=16), trial(None, "FAIL", dim=64)]
    (chart,) = draw_parameters(search(rows))
    assert chart.figure is not None
    assert list(chart.figure.data[0].x) == [8, 16]
    assert draw_parameters(search([trial(None, "FAIL", dim=64)])) == []


def test_curves_of_the_objective_where_it_was_measured(search: Callable[..., DrawnSearch]) -> None:
    drawn = search([trial(0.3, dim=8), trial(0.2, "PRUNED", dim=16), trial(0.1, dim=24)])
    trials = [
        Trial(0, "COMPLETE", {}, losses=[9.0, 8.0], intermediate={1: 0.1, 2: 0.3}),
        Trial(1, "PRUNED", {}, losses=[9.0, 8.0], intermediate={1: 0.1, 2: 0.2}),
        Trial(2, "COMPLETE", {}, losses=[9.0], intermediate={1: 0.1}),  # one epoch is no curve
    ]
    chart = draw_curves(trials, drawn)
    assert chart.figure is not None
    assert chart.figure.layout.yaxis.title.text == "Validation Recall@10"
    pruned, best = chart.figure.data
    assert (list(best.x), list(best.y), best.line.dash) == ([1, 2], [0.1, 0.3], "solid")
    assert (list(pruned.y), pruned.line.dash) == ([0.1, 0.2], "dot")
    assert best.line.width > pruned.line.width


def test_otherwise_of_the_loss(search: Callable[..., DrawnSearch]) -> None:
    drawn = search([trial(0.3, dim=8)])
    chart = draw_curves([Trial(0, "COMPLETE", {}, losses=[9.0, 8.0])], drawn)
    assert chart.figure is not None
    assert chart.figure.layout.yaxis.title.text == "Training loss"
    assert list(chart.figure.data[0].y) == [9.0, 8.0]
    none = draw_curves([Trial(0, "COMPLETE", {})], drawn)
    assert (none.figure, none.title) == (None, "Learning curves")
    assert none.reason == "No trial was trained for more than one epoch."
