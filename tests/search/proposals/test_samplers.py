"""Every sampler is a function of the seed and of earlier trials."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.search.studies import (
    EACH_SAMPLER,
    config,
    extend,
    params_of,
    printed_elsewhere,
    run,
)
from twotower.search.store.snapshot import read_stored, write_snapshot
from twotower.search.trial import Trial, distributions

COUNT = {"tpe": 18, "random": 18, "gp": 12, "cmaes": 18}
"""How many trials there are, by sampler: those of a Gaussian process take seconds."""


def sampler_of(name: str) -> dict[str, object]:
    # An early start of the model, so that small studies see it at work.
    return {"type": name} | ({"n_startup_trials": 5} if name in ("tpe", "gp") else {})


@cache
def here(sampler: str, *, conditional: bool = False) -> dict[int, Trial]:
    """What this process proposes; not to be changed."""
    return run(COUNT[sampler], config(sampler_of(sampler), conditional=conditional))


@cache
def elsewhere(samplers: tuple[str, ...]) -> dict[str, list[object]]:
    """What a process with another hash seed and more threads proposes, by sampler."""
    settings = [(sampler_of(name), COUNT[name]) for name in samplers]
    code = (
        "from tests.search.studies import config, run\n"
        "def proposed(sampler, count, conditional):\n"
        "    records = run(count, config(sampler, conditional=conditional))\n"
        "    return [[r.params, r.system_attrs] for r in records.values()]\n"
        f"print(json.dumps([[proposed(*s, c) for c in (False, True)] for s in {settings!r}]))"
    )
    return dict(zip(samplers, printed_elsewhere(code), strict=True))


@pytest.mark.parametrize("sampler", EACH_SAMPLER)
def test_a_fresh_process_with_another_hash_seed_and_more_threads_proposes_the_same(
    sampler: str,
) -> None:
    together = ("gp",) if sampler == "gp" else ("random", "tpe", "cmaes")  # without the slow one
    for conditional, there in zip((False, True), elsewhere(together)[sampler], strict=True):
        trials = here(sampler, conditional=conditional)
        assert there == [[r.params, r.system_attrs] for r in trials.values()]
        assert len({str(params) for params in params_of(trials)}) > COUNT[sampler] / 2


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("sampler", EACH_SAMPLER)
def test_resumed_from_a_snapshot_equals_straight(
    sampler: str, conditional: bool, tmp_path: Path
) -> None:
    settings = config(sampler_of(sampler), conditional=conditional)
    space = distributions(settings.search_space.searched)
    straight = here(sampler, conditional=conditional)
    for cut in (1, COUNT[sampler] - 4):
        path = tmp_path / f"{cut}.db"
        write_snapshot(path, "s", [straight[n] for n in range(cut)], space, {})
        known = {r.number: r for r in read_stored(path)[1].trials}
        assert extend(known, COUNT[sampler], settings) == straight


@pytest.mark.parametrize("sampler", EACH_SAMPLER)
def test_a_record_that_went_through_json_leads_to_the_same(sampler: str) -> None:
    settings = config(sampler_of(sampler))
    straight = here(sampler)
    written = json.dumps([straight[n].to_json() for n in range(9)])
    known = {n: Trial.from_json(values) for n, values in enumerate(json.loads(written))}
    assert extend(known, COUNT[sampler], settings) == straight


@pytest.mark.parametrize("sampler", EACH_SAMPLER)
def test_conditional_parameters_are_there_only_where_their_condition_holds(sampler: str) -> None:
    trials = params_of(here(sampler, conditional=True))
    for params in trials:
        assert ({"logq", "temperature"} <= params.keys()) == (params["loss"] == "softmax")
        assert {"dim", "epochs", "loss", "lr"} <= params.keys()
    assert {params["loss"] for params in trials} == {"softmax", "mse"}


def test_trial_zero_has_the_defaults_whose_condition_holds() -> None:
    assert run(1, config(conditional=True))[0].params == {
        "dim": 32, "epochs": 5, "logq": True, "loss": "softmax", "lr": 0.005, "temperature": 0.1,
    }  # fmt: skip


def test_a_pinned_value_is_no_parameter_of_a_trial() -> None:
    records = run(3, config(conditional=True, fixed={"loss": "mse"}))
    assert all(params.keys() == {"dim", "epochs", "lr"} for params in params_of(records))


@pytest.mark.parametrize(("sampler", "count"), [("tpe", 40), ("gp", 14), ("cmaes", 60)])
def test_later_trials_are_better_than_random_ones(sampler: str, count: int) -> None:
    values = [
        np.mean(
            [r.value for r in list(run(count, config(sampler_of(name))).values())[-10:] if r.value]
        )
        for name in (sampler, "random")
    ]
    assert values[0] > values[1]


def test_cmaes_goes_on_when_a_condition_takes_parameters_away() -> None:
    records = run(40, config("cmaes", conditional=True))
    assert "cma:generation" in records[39].system_attrs
    generations = [r.system_attrs.get("cma:generation", 0) for r in records.values()]
    assert max(generations) >= 2


def test_a_gaussian_process_leaves_the_threads_as_they_were() -> None:
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    run(8, config(sampler_of("gp")))
    assert (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()) == before
