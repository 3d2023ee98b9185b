import pytest

from tests.plots.searches import random_trials, trial
from twotower.plots.history_chart import draw_history


def traces(drawn):
    return {trace.name: trace for trace in drawn.figure.data}


def test_every_kind_of_trial_is_shown(twenty):
    drawn = draw_history(twenty)
    shown = traces(drawn)

    assert list(shown) == [
        "Trial",
        "Best so far",
        "Random ranking, expected (0.03)",
        "Failed (no value)",
        "Pruned (no value)",
        "Defaults (trial 0)",
        f"Best (trial {twenty.best.number})",
    ]
    assert len(shown["Trial"].x) == len(shown["Trial"].text) == 18
    assert list(shown["Failed (no value)"].x) == [6]
    assert list(shown["Pruned (no value)"].x) == [9]
    assert max(shown["Best so far"].y) == twenty.best.value


def test_trials_without_a_value_are_inside_the_axis_and_below_all_values(twenty):
    drawn = draw_history(twenty)
    rail = traces(drawn)["Failed (no value)"].y[0]
    low, high = drawn.figure.layout.yaxis.range

    assert low < rail < min(0.03, *(t.value for t in twenty.completed))
    assert high > twenty.best.value


def test_titles_name_objective_split_and_users(twenty):
    layout = draw_history(twenty).figure.layout

    assert layout.title.text == "Search history: Validation Recall@10 by trial"
    assert layout.title.subtitle.text.startswith("validation split, 512 users")
    assert layout.yaxis.title.text == "Validation Recall@10"
    assert layout.xaxis.title.text == "Trial number"


def test_the_best_trial_is_spelled_out(search):
    drawn = draw_history(search([trial(0.12345, **{"<lr>": 0.01}, loss="<mse>")], {
        "<lr>": {"type": "float", "low": 0.001, "high": 0.1},
        "loss": {"type": "categorical", "choices": ["<mse>", "softmax"]},
    }))  # fmt: skip

    (box,) = drawn.figure.layout.annotations
    assert box.text == (
        "<b>Best: trial 0</b><br>Recall@10 0.1235<br>&lt;lr&gt; = 0.01<br>loss = &lt;mse&gt;"
    )


@pytest.mark.parametrize(("mean", "shown"), [(0.21, "mean 0.21"), (None, "failed")])
def test_a_trial_that_fresh_seeds_chose_is_not_called_the_best(search, mean, shown):
    rows = [trial(0.3, lr=0.1), trial(0.25, lr=0.01)]
    trials = [{"number": 0, "mean": 0.2}, {"number": 1, "mean": mean}]
    confirm = {"chosen": 1, "seeds": 3, "trials": trials}
    drawn = draw_history(search(rows, best_trial={"number": 1}, confirm=confirm))

    (star,) = [trace for name, trace in traces(drawn).items() if name.startswith("Chosen")]
    (box,) = drawn.figure.layout.annotations
    assert (star.name, star.y) == ("Chosen by fresh seeds (trial 1)", (0.25,))
    assert not any(name.startswith("Best (") for name in traces(drawn))
    assert box.text == (
        f"<b>Chosen: trial 1</b><br>Recall@10 0.25<br>3 fresh seeds: {shown}<br>lr = 0.01"
    )


def test_a_confirmation_that_chose_nothing_leaves_the_best(search):
    assert "Best (trial 0)" in traces(draw_history(search([trial(0.3, lr=0.1)], confirm=None)))


def test_without_random_and_defaults(search):
    shown = traces(draw_history(search(random_trials(3), include_defaults=False, random={})))

    assert [name.split(" (")[0] for name in shown] == ["Trial", "Best so far", "Best"]


def test_equal_values_and_one_trial_are_drawn(search):
    for rows in ([trial(0.0, lr=0.01)], [trial(0.03, lr=0.01)] * 4):
        low, high = draw_history(search(rows)).figure.layout.yaxis.range
        assert low < high


def test_many_trials_get_few_ticks(search):
    axis = draw_history(search(random_trials(107))).figure.layout.xaxis

    assert axis.dtick == 10


def test_nothing_to_draw(search):
    drawn = draw_history(search([trial(None, "FAIL")] * 2))

    assert drawn.figure is None
    assert drawn.reason.startswith("None of the 2 trials completed")


def test_the_verdict_of_the_test_split_stands_below_the_evidence(twenty):
    title = draw_history(twenty, "signal, but ease is better").figure.layout.title

    evidence, verdict = title.subtitle.text.split("<br>")
    assert evidence.startswith("validation split, 512 users")
    assert verdict.endswith("model (test split): signal, but ease is better")
    assert "erdict" not in draw_history(twenty).figure.layout.title.subtitle.text


def test_values_of_a_sample_say_so(search):
    rows = [trial(0.3, lr=0.1), trial(0.2, lr=0.05)]
    sample = {"share": 0.25, "rungs": [{"share": 1.0, "trials": [{"number": 1, "value": 0.45}]}]}
    drawn = draw_history(search(rows, best_trial={"number": 1, "value": 0.45}, sample=sample))
    layout = drawn.figure.layout
    assert "(trained on a sample of 25.0% of all)" in layout.title.subtitle.text
    assert "Recall@10 0.2<br>trained on more users: 0.45<br>" in layout.annotations[0].text
