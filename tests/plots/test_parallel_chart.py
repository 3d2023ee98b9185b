import pytest

from tests.plots.searches import SPACE, random_trials, trial
from twotower.plots import chart
from twotower.plots.parallel_chart import MISSING, MISSING_BAND, draw_parallel


def ticks(drawn, place):
    """Height and text of the ticks of one axis."""
    return {mark.text: mark.y for mark in drawn.figure.layout.annotations if mark.x == place}


def lines(drawn):
    return [trace for trace in drawn.figure.data if trace.mode == "lines"]


def test_one_line_a_trial_and_the_best_on_top(twenty):
    drawn = draw_parallel(twenty)

    assert len(lines(drawn)) == 18
    assert [line.line.color == chart.BEST for line in lines(drawn)] == [False] * 17 + [True]
    assert lines(drawn)[-1].name.startswith(f"Best (trial {twenty.best.number}")
    assert [text[3:-4] for text in drawn.figure.layout.xaxis.ticktext] == [
        "Recall@10", "batch_size", "dim", "loss", "lr",
    ]  # fmt: skip


def test_axes_span_the_search_space_and_stop_at_values_one_can_set(twenty):
    drawn = draw_parallel(twenty)

    assert ticks(drawn, 1) == {"128": 0, "256": 0.5, "512": 1}
    assert list(ticks(drawn, 2)) == ["8", "24", "40", "56", "64"]
    assert ticks(drawn, 3) == {"softmax": 0, "mse": 1}
    assert ticks(drawn, 4) == pytest.approx({"0.0001": 0, "0.001": 1 / 3, "0.01": 2 / 3, "0.1": 1})


def test_lines_cross_the_axes_at_their_values(search):
    rows = [
        trial(0.2, dim=8, lr=0.001, batch_size=256, loss="mse"),
        trial(0.1, dim=64, lr=0.1, batch_size=128, loss="softmax"),
    ]
    worst, best = lines(draw_parallel(search(rows)))

    assert list(best.y) == pytest.approx([1, 0.5, 0, 1, 1 / 3])
    assert list(worst.y) == pytest.approx([0, 0, 1, 0, 1])


def test_a_parameter_that_a_trial_lacks_has_a_place_of_its_own(search):
    rows = [trial(0.2, dim=8, lr=0.1), trial(0.1, lr=0.01)]
    drawn = draw_parallel(search(rows))
    worst, best = lines(drawn)

    assert ticks(drawn, 1)[MISSING] == 0
    assert ticks(drawn, 1)["8"] == MISSING_BAND
    assert (worst.y[1], best.y[1]) == (0, MISSING_BAND)
    assert worst.customdata[1][1] == MISSING


def test_entries_that_set_one_hyperparameter_have_an_axis_each(search):
    space = {
        "init": {"type": "categorical", "choices": ["random", "ridge"]},
        "dim": {"type": "int", "low": 8, "high": 64, "only_if": {"init": "random"}},
        "wide": {
            "sets": "dim", "type": "categorical", "choices": [64, 256], "only_if": {"init": "ridge"}
        },
    }  # fmt: skip
    rows = [
        trial(0.1, init="random", dim=8),
        trial(0.2, init="ridge", wide=256),
        trial(0.3, init="random", dim=64),
    ]
    drawn = draw_parallel(search(rows, space))
    labels = list(drawn.figure.layout.xaxis.ticktext)
    assert labels[1:] == ["<b>dim</b>", "<b>init</b>", "<b>wide</b>"]
    assert list(ticks(drawn, 3)) == [MISSING, "64", "256"]


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

    assert (ticks(drawn, 1), ticks(drawn, 2)) == ({"8": 0.5}, {"mse": 0.5})
    assert ticks(drawn, 3) == {"0.01": 0.5}
    assert list(ticks(drawn, 4)) == ["0.05", "0.2", "0.4", "0.6", "0.8", "0.98"]


def test_one_parameter_is_drawn(search):
    space = {"lr": SPACE["lr"]}

    assert draw_parallel(search([trial(0.1, lr=0.1), trial(0.2, lr=0.2 / 4)], space)).figure


@pytest.mark.parametrize("rows", [[], random_trials(1), [trial(0.1, lr=0.1)] * 3])
def test_nothing_to_compare(search, rows):
    drawn = draw_parallel(search(rows))

    assert drawn.figure is None
    assert drawn.reason
