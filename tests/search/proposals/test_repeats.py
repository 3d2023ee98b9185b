"""No trial repeats another, and a space can end."""

import json
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st

from tests.search.studies import BRANCHES, SAMPLERS, config, extend, params_of, run
from twotower.config import parse_config
from twotower.config.effects import ANY_DATA
from twotower.search.objective import Objective
from twotower.search.proposals.propose import Proposer
from twotower.search.proposals.repeats import Repeats
from twotower.search.trial import Params, Trial

CLOSED = {"init": "spectral", "epochs": 0, "similarity": "dot"}
SMALL: dict[str, Any] = {
    "model": {"dim": 8}, "train": {"epochs": 1, "batch_size": 64},
    "hpo": {"include_defaults": False},
}  # fmt: skip


@pytest.mark.parametrize(
    ("common", "one", "other"),
    [
        (CLOSED, {"lr": 0.1, "loss": "mse", "batch_size": 8}, {"lr": 0.01, "temperature": 0.5}),
        (CLOSED, {"dim": 24}, {"dim": 60}),
        (CLOSED | {"popularity_weight": 0.2}, {"dim": 25}, {"dim": 64}),
        (CLOSED, {"user_tower": "both"}, {"user_tower": "history"}),
        (
            CLOSED | {"similarity": "cosine"},
            {"item_tower": "both"},
            {"item_tower": "id", "features": False},
        ),
        (CLOSED | {"init": "ridge"}, {"popularity_exponent": 0.2}, {"popularity_exponent": 0.9}),
        ({"similarity": "dot"}, {"temperature": 0.1}, {"temperature": 0.9}),
        ({"loss": "mse"}, {"temperature": 0.1, "logq": True}, {"logq": False}),
        ({"loss": "bpr"}, {"uniform_negatives": 0}, {"uniform_negatives": 9, "logq": False}),
        ({}, {"history_decay": 0.2, "user_exponent": 0.1}, {"singular_exponent": 1.0}),
        ({}, {"batch_size": 300}, {"batch_size": 1000}),
    ],
)
def test_what_counts_as_the_same_trains_the_same(
    prepared: Path, common: Params, one: Params, other: Params
) -> None:
    objective = Objective(prepared, parse_config(SMALL))
    first, second = common | one, common | other
    repeats = Repeats(parse_config(SMALL).search_space, objective.facts)
    assert repeats.key(first) == repeats.key(second)
    scores = [objective(Trial(0, "RUNNING", params)).metrics for params in (first, second)]
    assert scores[0] == pytest.approx(scores[1], abs=0.02 if "dim" in one else 1e-6)


@pytest.mark.parametrize(
    ("common", "one", "other"),
    [
        (CLOSED, {"dim": 8}, {"dim": 16}),
        (CLOSED, {"history_decay": 0.0}, {"history_decay": 0.5}),
        (CLOSED, {"popularity_exponent": 0.0}, {"popularity_exponent": 0.9}),
        (CLOSED | {"init": "ridge"}, {"ridge_penalty": 0.01}, {"ridge_penalty": 3.0}),
        ({"similarity": "cosine", "lr": 0.05}, {"temperature": 0.05}, {"temperature": 1.0}),
        ({"user_tower": "history"}, {"history_decay": 0.0}, {"history_decay": 0.5}),
        ({}, {"lr": 0.1}, {"lr": 0.001}),
    ],
)
def test_what_does_not_trains_another_model(
    prepared: Path, common: Params, one: Params, other: Params
) -> None:
    objective = Objective(prepared, parse_config(SMALL))
    repeats = Repeats(parse_config(SMALL).search_space, objective.facts)
    first, second = common | one, common | other
    assert repeats.key(first) != repeats.key(second)
    scores = [objective(Trial(0, "RUNNING", params)).metrics for params in (first, second)]
    assert scores[0] != scores[1]


def keys(settings: Any, trials: dict[int, Trial]) -> list[str]:
    repeats = Repeats(settings.search_space)
    return [repeats.key(trial.params) for trial in trials.values()]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_no_sampler_repeats_a_trial_and_a_study_may_grow(sampler: str) -> None:
    early = {"type": sampler} | ({"n_startup_trials": 3} if sampler in ("tpe", "gp") else {})
    settings = config(early, search_space=BRANCHES)
    straight = run(10, settings)
    assert len(set(keys(settings, straight))) == 10
    assert params_of(extend(run(6, settings), 10, settings)) == params_of(straight)


def test_a_finite_space_ends_when_everything_has_been_tried() -> None:
    settings = config("random", search_space=BRANCHES)
    trials = run(10, settings)  # 4 trained; ridge: 3 dimensions with 2 penalties
    assert {json.dumps(params) for params in params_of(trials)} == {
        json.dumps(params) for params in _all_of_branches()
    }
    assert Proposer(settings.search_space, settings.hpo, 42).propose(10, trials) is None
    # On data of rank 10, two of the dimensions are one model.
    flat = Repeats(settings.search_space, replace(ANY_DATA, num_items=10))
    assert len({flat.key(params) for params in _all_of_branches()}) == 8


def _all_of_branches() -> list[Params]:
    trained = [
        {"dim": dim, "epochs": epochs, "init": "random"} for dim in (16, 32) for epochs in (4, 5)
    ]
    ridge = [
        {"closed_form_dim": dim, "init": "ridge", "ridge_penalty": penalty}
        for dim in (8, 16, 64)
        for penalty in (0.1, 1)
    ]
    return [*trained, *ridge]


def test_what_a_trial_trains_with_leads_back_to_its_parameters() -> None:
    space = config(search_space=BRANCHES).search_space
    for params in _all_of_branches():
        used = space.complete(params)
        assert space.present(space.defaults | used) == params
        assert space.outside(space.defaults | used) is None


SOME_CHOICES: dict[str, list[Any]] = {
    "init": ["random", "spectral", "ridge"],
    "similarity": ["cosine", "dot"],
    "epochs": [0, 3],
    "loss": ["softmax", "mse", "bpr"],
    "temperature": [0.1, 0.2],
    "ridge_penalty": [0.1, 1.0],
    "user_tower": ["id", "history", "both"],
    "popularity_weight": [0.0, 0.2],
}


@given(
    st.dictionaries(st.sampled_from(sorted(SOME_CHOICES)), st.integers(1, 3), min_size=2),
    st.integers(0, 5),
)
@limits(max_examples=30, deadline=None)
def test_every_model_of_a_finite_space_is_tried_once(sizes: dict[str, int], seed: int) -> None:
    space: dict[str, Any] = {
        name: {"type": "categorical", "choices": SOME_CHOICES[name][:size]}
        for name, size in sizes.items()
    }
    hpo = {"search_space": space, "include_defaults": False}
    repeats = Repeats(parse_config({"hpo": hpo}).search_space)
    models = {
        repeats.key(dict(zip(space, values, strict=True)))
        for values in product(*(entry["choices"] for entry in space.values()))
    }
    tried: list[str] = []
    while (params := repeats.untried(tried, seed + len(tried))) is not None:
        tried.append(repeats.key(params))
    assert sorted(tried) == sorted(models)


def test_a_range_that_does_nothing_is_no_way_on() -> None:
    space = {
        "dim": {"type": "categorical", "choices": [16, 32]},
        "temperature": {"type": "float", "low": 0.1, "high": 1, "log": True},
    }
    for similarity, ends in (("dot", True), ("cosine", False)):
        settings = parse_config(
            {"model": {"similarity": similarity}, "hpo": {"search_space": space}}
        )
        repeats = Repeats(settings.search_space)
        tried = {repeats.key({"dim": dim, "temperature": 0.2}) for dim in (16, 32)}
        assert (repeats.untried(tried, seed=1) is None) == ends


def test_of_a_large_space_something_untried_is_drawn() -> None:
    space = {
        "dim": {"type": "int", "low": 1, "high": 5000},
        "lr": {"type": "float", "low": 1e-4, "high": 0.1, "step": 1e-4},
        "batch_size": {"type": "int", "low": 1, "high": 4096, "log": True},
    }
    settings = parse_config({"hpo": {"search_space": space, "include_defaults": False}})
    repeats = Repeats(settings.search_space)
    drawn = repeats.untried(set(), seed=1)
    assert drawn is not None
    assert drawn == repeats.untried(set(), seed=1) != repeats.untried(set(), seed=2)
    assert settings.search_space.outside({**settings.search_space.defaults, **drawn}) is None


def test_failed_and_running_trials_count_as_tried() -> None:
    settings = config("random", search_space=BRANCHES, lookahead=4)
    trials = run(10, settings)
    trials[8], trials[9] = (trials[n].as_proposed() for n in (8, 9))
    trials[3] = replace(trials[3], state="FAIL", value=None, failure="x")
    assert Proposer(settings.search_space, settings.hpo, 42).propose(10, trials) is None
