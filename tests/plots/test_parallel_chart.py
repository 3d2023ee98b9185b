import random

import pytest

from tests.plots.searches import SPACE, random_trials, trial
from twotower.plots import chart
from twotower.plots.parallel_axes import FIRST
from twotower.plots.parallel_chart import draw_parallel


def ticks(drawn, place):
    """Height and text of the ticks of one axis."""
    marks = drawn.figure.layout.annotations
    return {mark.text: mark.y for mark in marks if mark.x == place and mark.yref != "paper"}


def lines(drawn):
    return [trace for trace in drawn.figure.data if trace.mode == "lines+markers"]


def names(drawn):
    """Of the axes, from the left."""
    return [text[3:-4].replace("<br>", "") for text in drawn.figure.layout.xaxis.ticktext]


def place_of(drawn, name):
    return names(drawn).index(name)


def test_one_line_a_trial_and_the_best_on_top(twenty):
    drawn = draw_parallel(twenty)

    assert len(lines(drawn)) == 18
    assert [line.line.color == chart.BEST for line in lines(drawn)] == [False] * 17 + [True]
    assert lines(drawn)[-1].name.startswith(f"Best (trial {twenty.best.number}")
    assert names(drawn)[:2] == ["Recall@10", "lr"]  # of which alone the values depend
    assert set(names(drawn)[2:]) == {"batch_size", "dim", "loss"}


def test_axes_span_the_search_space_and_stop_at_values_one_can_set(twenty):
    drawn = draw_parallel(twenty)
    found = {name: ticks(drawn, place) for place, name in enumerate(names(drawn))}

    assert found["batch_size"] == {"128": 0, "256": 0.5, "512": 1}
    assert list(found["dim"]) == ["8", "24", "40", "56", "64"]
    assert found["loss"] == {"softmax": 0, "mse": 1}
    assert found["lr"] == pytest.approx({"0.0001": 0, "0.001": 1 / 3, "0.01": 2 / 3, "0.1": 1})


def test_lines_cross_the_axes_at_their_values(search):
    rows = [
        trial(0.2, dim=8, lr=0.001, batch_size=256, loss="mse"),
        trial(0.1, dim=64, lr=0.1, batch_size=128, loss="softmax"),
    ]
    drawn = draw_parallel(search(rows))
    worst, best = (dict(zip(names(drawn), line.y, strict=True)) for line in lines(drawn))

    assert best == pytest.approx(
        {"Recall@10": 1, "batch_size": 0.5, "dim": 0, "loss": 1, "lr": 1 / 3}
    )
    assert worst == {"Recall@10": 0, "batch_size": 0, "dim": 1, "loss": 0, "lr": 1}


def test_a_line_is_broken_where_its_trial_lacks_the_parameter(search):
    rows = [trial(0.2, dim=8, lr=0.1), trial(0.1, lr=0.01)]
    drawn = draw_parallel(search(rows))
    worst, best = lines(drawn)
    dim = place_of(drawn, "dim")

    assert (worst.y[dim], best.y[dim]) == (None, 0)
    assert None not in best.y


BRANCHES = {
    "init": {"type": "categorical", "choices": ["random", "ridge"]},
    "dim": {"type": "int", "low": 8, "high": 64, "only_if": {"init": "random"}},
    "wide": {
        "sets": "dim", "type": "categorical", "choices": [64, 256], "only_if": {"init": "ridge"}
    },
    "lr": {"type": "float", "low": 0.001, "high": 0.1, "only_if": {"init": "random"}},
}  # fmt: skip


def test_parameters_of_one_condition_stand_together_under_it(search):
    rows = [
        trial(0.1, init="random", dim=8, lr=0.01),
        trial(0.2, init="ridge", wide=256),
        trial(0.3, init="random", dim=64, lr=0.02),
        trial(0.15, init="ridge", wide=64),
    ]
    drawn = draw_parallel(search(rows, BRANCHES))
    assert names(drawn)[1] == "init"
    assert abs(place_of(drawn, "dim") - place_of(drawn, "lr")) == 1
    headings = {mark.text: mark.x for mark in drawn.figure.layout.annotations if mark.yref}
    assert headings["if init = random"] == (place_of(drawn, "dim") + place_of(drawn, "lr")) / 2
    assert headings["if init =<br>ridge"] == place_of(drawn, "wide")
    assert len(drawn.figure.layout.shapes) == 2


def test_what_matters_first_and_the_rest_on_demand(search):
    space = {f"p{number}": {"type": "float", "low": 0, "high": 1} for number in range(12)}
    rng = random.Random(3)  # noqa: S311 - not a secret
    drawn_params = [{name: rng.random() for name in space} for _ in range(20)]
    rows = [trial(params["p11"], **params) for params in drawn_params]
    drawn = draw_parallel(search(rows, space))
    assert names(drawn)[1] == "p11"
    assert len(names(drawn)) == 1 + FIRST
    first, every = drawn.figure.layout.updatemenus[0].buttons
    assert (first.label, every.label) == ("The 7 that matter most", "All 12 parameters")
    points, frame, changed = every.args
    assert list(changed) == list(range(20))
    assert {len(line) for line in points["y"]} == {13}
    assert len(frame["xaxis.tickvals"]) == 13
    assert [list(line) for line in first.args[0]["y"]] == [list(line.y) for line in lines(drawn)]


def test_few_parameters_need_no_buttons(twenty):
    assert not draw_parallel(twenty).figure.layout.updatemenus


def test_what_to_try_next_is_below(search):
    advice = ["lr 0.1 is at the high end of what was searched: dvc exp run -S 'x=1'"]
    assert draw_parallel(search(random_trials(20), advice=advice)).notes[0] == advice[0]


def test_a_trial_that_fresh_seeds_chose_is_on_top(search):
    confirm = {"chosen": 1, "seeds": 3, "trials": [{"number": 1, "mean": 0.19}]}
    rows = [trial(0.3, lr=0.001), trial(0.2, lr=0.1)]
    shown = lines(draw_parallel(search(rows, best_trial={"number": 1}, confirm=confirm)))

    assert [line.name for line in shown if line.showlegend] == [
        "Chosen by fresh seeds (trial 1: 0.2)"
    ]
    assert shown[-1].showlegend


def test_a_space_of_single_values_and_uneven_steps(search):
    space = {
        "dim": {"type": "int", "low": 8, "high": 8},
        "lr": {"type": "float", "low": 0.01, "high": 0.01, "log": True},
        "loss": {"type": "categorical", "choices": ["mse"]},
        "temperature": {"type": "float", "low": 0.05, "high": 0.98},
    }
    rows = [trial(v, dim=8, lr=0.01, loss="mse", temperature=v) for v in (0.1, 0.2)]
    drawn = draw_parallel(search(rows, space))

    found = {name: ticks(drawn, place) for place, name in enumerate(names(drawn))}
    assert (found["dim"], found["loss"], found["lr"]) == ({"8": 0.5}, {"mse": 0.5}, {"0.01": 0.5})
    assert list(found["temperature"]) == ["0.05", "0.2", "0.4", "0.6", "0.8", "0.98"]


def test_one_parameter_is_drawn(search):
    space = {"lr": SPACE["lr"]}

    assert draw_parallel(search([trial(0.1, lr=0.1), trial(0.2, lr=0.2 / 4)], space)).figure


@pytest.mark.parametrize("rows", [[], random_trials(1), [trial(0.1, lr=0.1)] * 3])
def test_nothing_to_compare(search, rows):
    drawn = draw_parallel(search(rows))

    assert drawn.figure is None
    assert drawn.reason
