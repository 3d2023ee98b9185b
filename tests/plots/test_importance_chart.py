import pytest

from tests.plots.searches import SPACE, random_trials, trial
from twotower.plots.importance_chart import REST, draw_importance


def test_shares_are_horizontal_bars_with_their_spread(twenty):
    drawn = draw_importance(twenty)
    (bars,) = drawn.figure.data

    assert bars.orientation == "h"
    assert set(bars.y) == {"lr", "dim", "batch_size", "loss", REST}
    assert bars.y[0] == "lr"  # the values of `random_trials` depend on nothing else
    assert bars.y[-1] == REST
    assert sum(bars.x) == pytest.approx(1)
    assert all(end >= 0 for end in [*bars.error_x.array[:-1], *bars.error_x.arrayminus[:-1]])
    assert "a hint, not a finding" in drawn.figure.layout.title.subtitle.text


def test_the_page_says_what_it_can_and_cannot_tell(search, twenty):
    few = " ".join(draw_importance(twenty).notes)
    assert "little better than a guess" in few  # 18 complete trials
    assert "32 regression trees" in few
    assert "It does not say which values are good" in few
    enough = draw_importance(search(random_trials(50)))
    assert "hint" not in enough.figure.layout.title.subtitle.text
    assert "guess" not in " ".join(enough.notes)


def test_many_trials_are_weighed_by_their_best_tenth(search, monkeypatch):
    monkeypatch.setattr("twotower.plots.importance.MOST_FOR_FANOVA", 30)
    drawn = draw_importance(search(random_trials(40)))
    (bars,) = drawn.figure.data

    assert REST not in bars.y
    assert sum(bars.x) == pytest.approx(1)
    assert "PED-ANOVA" in drawn.figure.layout.xaxis.title.text
    assert "the best tenth of the 40 complete trials" in drawn.notes[0]


def test_a_parameter_that_only_some_trials_have(search):
    rows = random_trials(12)
    for row in rows[::2]:
        del row["params"]["dim"]
    space = SPACE | {"dim": SPACE["dim"] | {"only_if": {"loss": "mse"}}}

    assert (
        "dim<br><sub>if loss = mse</sub>" in draw_importance(search(rows, space)).figure.data[0].y
    )


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
