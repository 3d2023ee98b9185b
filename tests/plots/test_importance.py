import random

import pytest

from tests.plots.searches import SPACE, random_trials, trial
from twotower.plots import importance
from twotower.plots.importance import place, ranges_of, weigh

UNIT = {name: {"type": "float", "low": 0.0, "high": 1.0} for name in ("a", "b", "c")}


def unit_trials(count, value):
    rng = random.Random(5)  # noqa: S311 - not a secret
    rows = []
    for _ in range(count):
        params = {name: rng.random() for name in UNIT}
        rows.append(trial(value(params), **params))
    return rows


def shares(found):
    return {weight.name: weight.share for weight in found.weights}


@pytest.mark.parametrize("count", [40, 100])
def test_shares_are_those_of_the_variance(search, count):
    # a and b are uniform: their shares are 4 to 1 in the variance of 2a + b.
    found = weigh(search(unit_trials(count, lambda p: 2 * p["a"] + p["b"]), UNIT).completed)

    assert found.by_variance
    assert [weight.name for weight in found.weights] == ["a", "b", "c"]
    assert shares(found) == pytest.approx({"a": 0.8, "b": 0.2, "c": 0}, abs=0.15)
    assert all(weight.low <= weight.share <= weight.high for weight in found.weights)
    assert sum(shares(found).values()) <= 1


def test_a_logarithmic_range_is_taken_as_such(search):
    # Below 0.01, two thirds of the range, the value follows lr; above it does not.
    space = {"lr": SPACE["lr"], "other": UNIT["a"]}
    rng = random.Random(1)  # noqa: S311 - not a secret
    rows = []
    for _ in range(40):
        lr = 10 ** rng.uniform(-4, -1)
        rows.append(trial(min(lr, 0.01), lr=lr, other=rng.random()))
    assert shares(weigh(search(rows, space).completed))["lr"] > 0.8


def test_a_parameter_of_one_branch_is_weighed_where_it_is_searched(search):
    space = {
        "init": {"type": "categorical", "choices": ["random", "ridge"]},
        "lr": UNIT["a"] | {"only_if": {"init": "random"}},
        "penalty": UNIT["a"] | {"only_if": {"init": "ridge"}},
    }
    rng = random.Random(2)  # noqa: S311 - not a secret
    rows = []
    for number in range(40):
        at = rng.random()
        branch = {"init": "ridge", "penalty": at} if number % 2 else {"init": "random", "lr": at}
        rows.append(trial(at if branch["init"] == "random" else 0.5, **branch))
    found = shares(weigh(search(rows, space).completed))
    assert found["lr"] > 0.5
    assert found["penalty"] < 0.1


def test_many_trials_are_weighed_by_the_best_tenth_with_the_warnings_of_optuna(search, monkeypatch):
    monkeypatch.setattr(importance, "MOST_FOR_FANOVA", 10)
    found = weigh(search(unit_trials(60, lambda p: p["a"]), UNIT).completed)

    assert not found.by_variance
    assert found.weights[0].name == "a"
    assert sum(shares(found).values()) == pytest.approx(1)
    assert found.warnings == ()
    space = UNIT | {"d": UNIT["a"] | {"only_if": {"a": 0}}}
    rows = unit_trials(30, lambda p: p["a"])
    rows[0]["params"]["d"] = 0.5
    (warning,) = weigh(search(rows, space).completed).warnings
    assert "Some regimes for parameter `d` have less than 2 trials" in warning


def test_nothing_can_be_said_of_what_never_varied(search):
    space = {"dim": {"type": "int", "low": 8, "high": 8}}
    assert weigh(search([trial(0.1, dim=8), trial(0.2, dim=8)], space).completed).weights == ()


def test_places_are_on_the_scale_of_the_range(search):
    ranges = ranges_of(search(random_trials(2)).completed)
    assert place(ranges["lr"], 0.001) == pytest.approx(1 / 3)
    assert place(ranges["dim"], 36) == 0.5
