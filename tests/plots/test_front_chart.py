"""The chart of the Pareto front, of a search of one objective and of several."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.plots.searches import of_objectives, random_trials, trial, write_search, write_trials
from twotower.common.errors import DataError
from twotower.plots.drawn_search import DrawnSearch, read_search
from twotower.plots.front_chart import draw_front
from twotower.plots.history_chart import draw_history
from twotower.plots.importance_chart import draw_importance
from twotower.plots.parallel_axes import all_axes

TWO = {"recall_at_10": "maximize", "coverage_at_10": "maximize"}
THREE = {"recall_at_10": "maximize", "gini_at_10": "minimize", "mrr": "maximize"}
FRONT = [(0.2, 0.4), (0.1, 0.6), (0.15, 0.5), (0.05, 0.7)]
"""The first is chosen, the last is not allowed."""


def by_name(drawn: Any) -> dict[str | None, Any]:
    return {trace.name: trace for trace in drawn.figure.data}


@pytest.fixture
def several(search: Callable[..., DrawnSearch]) -> Callable[..., DrawnSearch]:
    """Write and read a search of several objectives."""

    def build(rows: Any, directions: dict[str, str], **choice: Any) -> DrawnSearch:
        trials, keys = of_objectives(rows, directions, **choice)
        return search(trials, **keys)

    return build


@pytest.fixture
def alone(tmp_path: Path) -> DrawnSearch:
    """A search of one objective, with the table of its trials."""
    rows = [trial(value, lr=0.01) for value in (0.1, 0.3, 0.2)]
    table = write_trials(tmp_path / "trials.csv", rows)
    return read_search(write_search(tmp_path, rows), table)


def test_the_front_its_edge_and_the_chosen_trial(several: Callable[..., DrawnSearch]) -> None:
    drawn = draw_front(several(FRONT, TWO))
    shown = by_name(drawn)

    on_front = shown["On the front"]
    assert (list(on_front.x), list(on_front.y)) == ([0.4, 0.5, 0.6], [0.2, 0.15, 0.1])
    assert list(on_front.text) == ["0", "2", "1"]
    assert list(shown["On the front, excluded by hpo.choose"].text) == ["3"]
    assert (list(shown["Chosen (trial 0)"].x), list(shown["Chosen (trial 0)"].y)) == ([0.4], [0.2])
    # Each axis reaches a tenth of its span beyond the trials; the edge starts and ends there.
    edge = shown[None]
    assert list(edge.x) == pytest.approx([0.37, 0.4, 0.5, 0.6, 0.7, 0.7])
    assert list(edge.y) == pytest.approx([0.2, 0.2, 0.15, 0.1, 0.05, 0.035])
    assert drawn.figure.layout.title.subtitle.text.replace("\u00a0", " ").startswith(
        "Trial 0 has the best Recall@10; trial 3 would give up 75 % of Recall@10"
    )
    assert "Coverage@10 0.7, the best" in shown["On the front, excluded by hpo.choose"].hovertext[0]


def test_what_the_rule_excludes_is_shaded(several: Callable[..., DrawnSearch]) -> None:
    layout = draw_front(
        several(FRONT, TWO, keep=0.5, limits={"coverage_at_10": 0.45})
    ).figure.layout
    limit, keep = layout.shapes

    assert (keep.y0, keep.y1) == (layout.yaxis.range[0], 0.1)  # half of 0.2
    assert (limit.x0, limit.x1) == (layout.xaxis.range[0], 0.45)


def test_less_of_a_minimised_metric_is_the_better_side(several: Callable[..., DrawnSearch]) -> None:
    rows = [(0.2, 0.8, 0.3), (0.1, 0.6, 0.2), (0.15, 0.9, 0.4)]
    drawn = draw_front(several(rows, THREE, limits={"gini_at_10": 0.7}))
    layout = drawn.figure.layout

    assert layout.xaxis.title.text == "Gini index@10 (lower is better)"
    (limit,) = layout.shapes
    assert (limit.x0, limit.x1) == (layout.xaxis.range[1], 0.7)
    # Trial 2 is on the front by its MRR, and beaten in these two.
    assert list(by_name(drawn)[None].x) == pytest.approx([0.93, 0.8, 0.6, 0.6])
    assert list(by_name(drawn)[None].y) == pytest.approx([0.2, 0.2, 0.1, 0.09])


def test_three_objectives_are_shown_by_pairs(several: Callable[..., DrawnSearch]) -> None:
    drawn = draw_front(several([(0.2, 0.8, 0.3), (0.1, 0.6, 0.2)], THREE))
    (menu,) = drawn.figure.layout.updatemenus

    assert [button.label for button in menu.buttons] == [
        "Recall@10 and Gini index@10",
        "Recall@10 and MRR",
        "Gini index@10 and MRR",
    ]
    moved, frame = menu.buttons[2].args
    assert frame["yaxis.title.text"] == "Gini index@10 (lower is better)"
    place = [trace.name for trace in drawn.figure.data].index("On the front")
    assert (moved["x"][place], moved["y"][place]) == ([0.3, 0.2], [0.8, 0.6])


def test_values_that_were_compared_take_the_place_of_those_of_the_search(
    search: Callable[..., DrawnSearch],
) -> None:
    trials, keys = of_objectives(FRONT, TWO)
    keys["front"] = [{"number": 0, "values": [0.3, 0.45], "allowed": True}]
    drawn = draw_front(search(trials, **keys))

    assert list(by_name(drawn)["On the front"].x) == [0.45]
    assert list(by_name(drawn)["Trial"].x) == [0.6, 0.5, 0.7]
    assert any("means over fresh seeds" in note for note in drawn.notes)


def test_a_search_of_one_objective_is_shown_beside_coverage(alone: DrawnSearch) -> None:
    drawn = draw_front(alone)

    assert list(by_name(drawn)["On the front"].y) == [0.3, 0.2, 0.1]  # 0.9 - value of Coverage
    assert drawn.figure.layout.xaxis.title.text == "Coverage@10"
    assert not drawn.figure.layout.shapes
    assert drawn.notes[-1] == (
        "The search maximised Recall@10 alone, and the front is what it came across; to search the "
        "front: dvc exp run -S 'hpo.objectives=[recall_at_10,coverage_at_10]'"
    )


def test_an_objective_without_a_cutoff_has_the_largest(tmp_path: Path) -> None:
    rows = [trial(0.1, lr=0.01), trial(0.2, lr=0.01)]
    table = write_trials(tmp_path / "trials.csv", rows, cutoff=20)
    drawn = draw_front(read_search(write_search(tmp_path, rows, objective="mrr"), table))

    assert drawn.figure.layout.xaxis.title.text == "Coverage@20"


def test_too_little_to_draw_is_a_sentence(tmp_path: Path) -> None:
    one = random_trials(1)
    table = write_trials(tmp_path / "trials.csv", one)
    results = write_search(tmp_path, one)

    assert draw_front(read_search(results, table)).reason.startswith("Only one trial completed")
    assert draw_front(read_search(results)).reason.startswith("The table of trials has no Coverage")
    table.write_text("number,metrics_coverage_at_10\nzero,0.1\n")
    with pytest.raises(DataError, match=r"trials.csv: not the trials of a search"):
        read_search(results, table)
    with pytest.raises(DataError, match=r"none.csv: no such file; run dvc repro hpo"):
        read_search(results, tmp_path / "none.csv")


@pytest.mark.parametrize("key", ["trials", "front"])
def test_a_trial_without_all_objectives_is_named(tmp_path: Path, key: str) -> None:
    trials, keys = of_objectives(FRONT, TWO)
    path = write_search(tmp_path, trials, **keys)
    content = json.loads(path.read_text())
    content[key][1]["values"] = [0.1]
    path.write_text(json.dumps(content))

    with pytest.raises(DataError, match=rf"{key}: trial \d lacks its 2 objectives; run dvc repro"):
        read_search(path)


def test_the_other_charts_have_every_objective(
    several: Callable[..., DrawnSearch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("twotower.plots.importance.TREES", 2)
    drawn = several([(0.1 * (i % 4), 0.5 + 0.01 * i) for i in range(12)],
                    {"recall_at_10": "maximize", "gini_at_10": "minimize"})  # fmt: skip
    recall, gini, *_ = all_axes(drawn)
    assert gini.label == "Gini index@10 (lower is better)"
    assert (gini.heights[0], gini.heights[11]) == (1.0, 0.0)
    assert (recall.heights[0], recall.heights[3]) == (0.0, 1.0)
    history = draw_history(drawn).figure
    best = next(trace for trace in history.data if trace.yaxis == "y2" and trace.mode == "lines")
    assert set(best.y) == {0.5}  # the first trial's, which none went below
    assert history.layout.yaxis2.title.text == "Gini index@10<br>(lower is better)"
    assert [bar.name for bar in draw_importance(drawn).figure.data] == [
        "Recall@10",
        "Gini index@10",
    ]
