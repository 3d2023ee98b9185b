"""Proposals for several objectives: functions of earlier trials, and towards their front."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import FrozenTrial, create_trial

from tests.search import studies
from tests.search.studies import params_of, printed_elsewhere, proposed
from twotower.common.files import canonical
from twotower.config import Config
from twotower.config.hpo import Nsga2Config
from twotower.evaluation.metrics import Direction
from twotower.search.proposals.propose import Proposer
from twotower.search.proposals.samplers import make_sampler
from twotower.search.store.snapshot import read_stored, write_snapshot
from twotower.search.trial import Params, Trial, distributions

COUNT = 18
OBJECTIVES: dict[str, Direction] = {"recall_at_10": "maximize", "gini_at_10": "minimize"}
MODELS: dict[str, dict[str, Any]] = {
    "tpe": {"type": "tpe", "n_startup_trials": 5},
    "gp": {"type": "gp", "n_startup_trials": 5},
    "nsga2": {"type": "nsga2", "population_size": 4},
}
"""Each sampler that learns, at work early, so that small studies see it."""


def config(sampler: Any, *, conditional: bool = True) -> Config:
    listed = [{key: way} for key, way in OBJECTIVES.items()]
    return studies.config(sampler, conditional=conditional, objectives=listed)


def values_of(params: Params) -> list[float]:
    """A gain and a loss that cannot both be had: a larger `dim` raises both."""
    size = params["dim"] / 64
    slip = abs(np.log10(params["lr"]) + 2) / 2 + abs(params.get("temperature", 0.6) - 0.2)
    return list(canonical([size - slip, size**2 + slip + 0.1 * (params.get("loss") == "mse")]))


def extend(
    trials: dict[int, Trial], count: int, settings: Config, seed: int = 42
) -> dict[int, Trial]:
    proposer = Proposer(settings.search_space, settings.hpo, seed)
    for number in range(len(trials), count):
        trial = proposer.propose(number, trials)
        assert trial is not None
        trials[number] = finished(trial)
    return trials


def finished(trial: Trial) -> Trial:
    if trial.number % 7 == 3:
        return replace(trial, state="FAIL", failure="x")
    value, *further = values_of(trial.params)
    return replace(trial, state="COMPLETE", value=value, further=further)


@cache
def straight(sampler: str) -> dict[int, Trial]:
    count = 13 if sampler == "gp" else COUNT  # the slow one
    return extend({}, count, config(MODELS[sampler]))


@pytest.mark.slow
def test_a_fresh_process_with_another_hash_seed_and_more_threads_proposes_the_same() -> None:
    code = (
        "from tests.search.proposals.test_objectives import MODELS, straight\n"
        "print(json.dumps([[t.to_json() for t in straight(n).values()] for n in MODELS]))"
    )
    for name, there in zip(MODELS, printed_elsewhere(code), strict=True):
        assert [Trial.from_json(trial) for trial in there] == list(straight(name).values())


@pytest.mark.parametrize("sampler", ["tpe", "nsga2", pytest.param("gp", marks=pytest.mark.slow)])
def test_grown_and_resumed_from_a_snapshot_equals_straight(sampler: str, tmp_path: Path) -> None:
    settings = config(MODELS[sampler])
    space = distributions(settings.search_space.searched)
    path, first = tmp_path / "study.db", [straight(sampler)[number] for number in range(9)]
    write_snapshot(path, "s", first, space, {}, directions=list(OBJECTIVES.values()))
    known = {trial.number: trial for trial in read_stored(path)[1].trials}
    assert extend(known, len(straight(sampler)), settings) == straight(sampler)


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_only_trials_before_the_window_count(sampler: str) -> None:
    # Trial 17 may know trials 0..13; what came of 14, 15 and 16, and in which order, it may not.
    settings, known = config(MODELS[sampler]), dict(straight(sampler))
    for number in (14, 15, 16):
        known[number] = known[number].as_proposed()
    assert proposed(17, known, settings).params == straight(sampler)[17].params
    for number in range(4, 14):
        known[number] = replace(known[number].as_proposed(), state="FAIL", failure="x")
    assert proposed(17, known, settings).params != straight(sampler)[17].params


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_the_second_objective_and_its_direction_count(sampler: str) -> None:
    both = [{key: "maximize"} for key in OBJECTIVES]
    maximised = studies.config(MODELS[sampler], conditional=True, objectives=both)
    there = extend({}, COUNT, maximised)
    assert params_of(there) != params_of(straight(sampler))
    assert there[1].params == straight(sampler)[1].params  # drawn at random


def test_notes_are_plain_values() -> None:
    for name in ("tpe", "nsga2"):
        for trial in straight(name).values():
            assert json.loads(json.dumps(trial.system_attrs)) == trial.system_attrs


def from_front(sampler: str) -> float:
    """Mean distance of late trials to the front, on which are all with a rate of 0.01."""
    runs = [extend({}, 40, config(sampler, conditional=False), seed) for seed in (1, 2)]
    return float(
        np.mean([abs(np.log10(t[n].params["lr"]) + 2) for t in runs for n in range(20, 40)])
    )


@pytest.mark.parametrize("sampler", ["tpe", "nsga2"])
def test_later_trials_are_nearer_to_the_front_than_random_ones(sampler: str) -> None:
    assert from_front(sampler) < 0.8 * from_front("random")


SPACE = {
    "branch": CategoricalDistribution(("left", "right")),
    "left": FloatDistribution(0, 1),
    "right": FloatDistribution(0, 1),
}


UNUSED = config("nsga2").search_space


def told(branch: str, value: float, *values: float) -> FrozenTrial:
    return create_trial(
        values=values,
        params={"branch": branch, branch: value},
        distributions={"branch": SPACE["branch"], branch: SPACE[branch]},
    )


def child(seed: int, trials: list[FrozenTrial], population_size: int) -> Params:
    """Parameters of the next trial that come from parents, changed or not."""
    study = optuna.create_study(directions=["maximize", "maximize"])
    study.add_trials(trials)
    settings = Nsga2Config(population_size=population_size)
    sampler = make_sampler(settings, seed, UNUSED, SPACE)
    running = create_trial(state=optuna.trial.TrialState.RUNNING, value=None)
    return sampler.sample_relative(study, running, SPACE)


def test_nsga2_draws_at_random_until_there_are_enough_parents() -> None:
    trials = [told("left", 0.5, 1, 1), told("left", 0.4, 2, 2)]
    assert child(0, trials, 3) == {}
    assert child(0, [*trials, told("right", 0.5, 0, 0)], 3) != {}


def test_nsga2_breeds_from_the_front_and_then_from_its_lonely_ends() -> None:
    # (0, 4), (2, 2) and (4, 0) are the front. Of the second one, (1.9, 1.9), (0.9, 2) and (2, 0.1),
    # the ends of a line come first, and the point between them never. Nobody is near (0, 0).
    trials = [
        told("left", 0.11, 0, 0),
        told("left", 0.22, 1.9, 1.9),
        told("left", 0.33, 0, 4),
        told("left", 0.44, 2, 2),
        told("left", 0.55, 4, 0),
        told("left", 0.66, 0.9, 2),
        told("left", 0.77, 2, 0.1),
    ]

    def sources(population_size: int) -> set[float]:
        bred = [child(seed, trials, population_size)["left"] for seed in range(100)]
        unchanged = {trial.params["left"] for trial in trials}
        assert len({value for value in bred if value not in unchanged}) > 10  # mutations
        return unchanged.intersection(bred)

    assert sources(3) == {0.33, 0.44, 0.55}
    assert sources(5) == {0.33, 0.44, 0.55, 0.66, 0.77}


def test_nsga2_hands_on_what_only_one_parent_has() -> None:
    trials = [told("left", 0.25, 1, 0), told("right", 0.75, 0, 1)]
    bred = [child(seed, trials, 2) for seed in range(100)]
    both = [params for params in bred if {"left", "right"} <= params.keys()]
    assert len(both) > 50  # the branch then decides which of them the trial has
    assert sum(params["left"] == 0.25 for params in both) > len(both) / 4
    assert {params["branch"] for params in both} == {"left", "right"}
    assert all(0 <= params["left"] <= 1 and 0 <= params["right"] <= 1 for params in both)
