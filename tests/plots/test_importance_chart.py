import pytest

from tests.plots.searches import SPACE, random_trials, trial
from twotower.plots.importance_chart import draw_importance


def test_shares_are_horizontal_bars_with_their_values(twenty):
    drawn = draw_importance(twenty)
    (bars,) = drawn.figure.data

    assert bars.orientation == "h"
    assert set(bars.y) == {"lr", "dim", "batch_size", "loss"}
    assert sum(bars.x) == pytest.approx(1)
    assert bars.y[-1] == "lr"  # the values of `random_trials` depend on nothing else
    assert len(bars.text) == 4
    assert "a hint, not a finding" in drawn.figure.layout.title.subtitle.text


def test_enough_trials_need_no_warning(search):
    title = draw_importance(search(random_trials(50))).figure.layout.title

    assert "hint" not in title.subtitle.text


def test_a_parameter_that_only_some_trials_have(search):
    rows = random_trials(12)
    for row in rows[::2]:
        del row["params"]["dim"]

    assert "dim" in draw_importance(search(rows)).figure.data[0].y


def test_one_parameter_cannot_be_weighed(search):
    drawn = draw_importance(search([trial(0.1, lr=0.01), trial(0.2, lr=0.02)]))

    assert drawn.figure is None
    assert "Only one parameter was searched (lr)" in drawn.reason


def test_parameters_that_never_varied_weigh_nothing(search):
    space = {name: {"type": "int", "low": 8, "high": 8} for name in ("dim", "epochs")}
    drawn = draw_importance(search([trial(v / 10, dim=8, epochs=8) for v in range(5)], space))

    assert drawn.figure is None
    assert "no parameter distinguishes the best ones" in drawn.reason


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_trials(search, count):
    assert draw_importance(search(random_trials(count))).figure is None


def test_parameters_of_one_importance_are_in_alphabetical_order(search):
    rows = random_trials(12)
    for row in rows:
        row["params"] = dict.fromkeys(("second", "third", "first"), row["params"]["lr"])
    space = dict.fromkeys(("second", "third", "first"), SPACE["lr"])
    rows[0]["params"] |= {"lr": 0.1}  # of which one trial says nothing
    (bars,) = draw_importance(search(rows, space | {"lr": SPACE["lr"]})).figure.data

    assert [name for name in bars.y if name != "lr"] == ["third", "second", "first"]
