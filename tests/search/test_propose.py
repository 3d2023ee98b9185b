import os
import subprocess
import sys

import optuna
import pytest

from tests.conftest import REPOSITORY
from twotower.common.files import canonical
from twotower.config import Config
from twotower.config.load import hyperparameters
from twotower.config.search import FloatSpace, HpoConfig
from twotower.search.propose import distributions, propose
from twotower.search.trial import Params, TrialRecord

DEFAULTS = hyperparameters(Config().model, Config().train)


def value_of(params: Params) -> float:
    return params["dim"] / 64 - abs(params["lr"] - 0.01) + params["epochs"] / 100


def record(number: int, params: Params, *, failed: bool = False) -> TrialRecord:
    value = None if failed else canonical(value_of(params))
    state = "FAIL" if failed else "COMPLETE"
    return TrialRecord(number=number, state=state, params=params, provenance="p", value=value)


def run(count: int, config: HpoConfig, seed: int = 42) -> dict[int, TrialRecord]:
    records: dict[int, TrialRecord] = {}
    for number in range(count):
        params = propose(number, records, config, seed, DEFAULTS)
        records[number] = record(number, params, failed=number % 7 == 3)
    return records


def test_trial_zero_is_the_defaults() -> None:
    params = propose(0, {}, HpoConfig(), 42, DEFAULTS)
    assert params == {name: DEFAULTS[name] for name in ("batch_size", "dim", "epochs", "lr")}
    without = propose(0, {}, HpoConfig(include_defaults=False), 42, DEFAULTS)
    assert without != params


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_a_fresh_process_proposes_the_same(sampler: str) -> None:
    code = (
        "from tests.search.test_propose import run; from twotower.config.search import HpoConfig;"
        f"print([r.params for r in run(25, HpoConfig(sampler={sampler!r})).values()])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONHASHSEED": "5"},
        capture_output=True,
        text=True,
        check=True,
    )
    here = [item.params for item in run(25, HpoConfig(sampler=sampler)).values()]
    assert out.stdout.strip() == str(here)
    assert len({str(params) for params in here}) > 15


def test_another_seed_proposes_otherwise() -> None:
    assert run(5, HpoConfig(), seed=1)[4].params != run(5, HpoConfig(), seed=2)[4].params


def test_trials_in_the_window_count_as_running() -> None:
    # Values of the last lookahead - 1 trials are not known yet when trial 20 is proposed.
    config = HpoConfig(lookahead=4)
    records = run(20, config)
    before = propose(20, records, config, 42, DEFAULTS)
    for number in (17, 18, 19):
        records[number] = record(number, records[number].params, failed=True)
    assert propose(20, records, config, 42, DEFAULTS) == before
    records[16] = record(16, records[16].params, failed=True)
    assert propose(20, records, config, 42, DEFAULTS) != before


def test_the_window_is_part_of_the_search() -> None:
    one, four = run(20, HpoConfig(lookahead=1)), run(20, HpoConfig(lookahead=4))
    assert [r.params for r in one.values()] != [r.params for r in four.values()]


def test_tpe_finds_better_values_than_random() -> None:
    best = {
        sampler: max(r.value or 0 for r in run(60, HpoConfig(sampler=sampler)).values())
        for sampler in ("tpe", "random")
    }
    assert best["tpe"] > best["random"]


def test_floats_are_as_reported_and_inside_the_space() -> None:
    space = {"lr": FloatSpace(type="float", low=1 / 3e4, high=1 / 9, log=True)}
    config = HpoConfig(search_space=space, include_defaults=False)
    [distribution] = distributions(config.search_space).values()
    for seed in range(40):
        lr = propose(0, {}, config, seed, DEFAULTS)["lr"]
        assert canonical(lr) == lr
        assert distribution._contains(lr)


def test_distributions_are_sorted_and_typed() -> None:
    space = distributions(HpoConfig().search_space)
    assert list(space) == ["batch_size", "dim", "epochs", "lr"]
    assert space["dim"] == optuna.distributions.IntDistribution(8, 64, step=8)
    assert space["lr"] == optuna.distributions.FloatDistribution(1e-4, 1e-1, log=True)
    assert space["batch_size"] == optuna.distributions.CategoricalDistribution((128, 256, 512))
