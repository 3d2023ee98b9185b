from dataclasses import replace
from typing import Any

import optuna
import pytest

from tests.search.studies import DEFAULT_LR, config, finished, params_of, proposed, run
from twotower.common.files import canonical
from twotower.search.proposals.propose import Proposer
from twotower.search.trial import Trial, distributions


def test_trial_zero_is_the_defaults() -> None:
    params = proposed(0, {}, config()).params
    assert params == {"batch_size": 256, "dim": 32, "epochs": 5, "lr": DEFAULT_LR}
    without = proposed(0, {}, config(include_defaults=False)).params
    assert without != params


def test_another_seed_proposes_otherwise() -> None:
    assert run(5, config(), seed=1)[4].params != run(5, config(), seed=2)[4].params


@pytest.mark.parametrize("sampler", ["tpe", "gp", "cmaes"])
def test_trials_in_the_window_count_as_running(sampler: str) -> None:
    # Values of the last lookahead - 1 trials are not known yet when trial 20 is proposed.
    settings = config(sampler, lookahead=4)
    # A Gaussian process learns from any trials, and random ones take no time.
    records = run(20, config("random" if sampler == "gp" else sampler, lookahead=4))

    def fail(number: int) -> None:
        old = records[number]
        records[number] = finished(number, old.params, old.system_attrs, failed=True)

    before = proposed(20, records, settings)
    for number in (18, 19):
        fail(number)
    assert proposed(20, records, settings) == before
    for number in (8, 9, 11, 12, 13, 14, 15, 16):
        fail(number)
    assert proposed(20, records, settings) != before


@pytest.mark.parametrize(
    ("sampler", "count"),
    [("tpe", 20), ({"type": "gp", "n_startup_trials": 5}, 11), ("cmaes", 20)],
    ids=["tpe", "gp", "cmaes"],
)
def test_what_a_proposer_remembers_changes_no_proposal(sampler: Any, count: int) -> None:
    settings = config(sampler, lookahead=4)
    proposer = Proposer(settings.search_space, settings.hpo, 42)
    trials: dict[int, Trial] = {}
    for number in range(count):
        trial = proposer.propose(number, trials)
        assert trial == proposed(number, trials, settings)
        trials[number] = trial
        if number >= 3:  # the three after it are running while the next is proposed
            old = trials[number - 3]
            trials[number - 3] = finished(old.number, old.params, old.system_attrs)
    again = {
        number: replace(trial, value=0.1) for number, trial in trials.items() if number < count - 1
    }
    for number, known in ((count - 1, trials), (count - 2, again)):
        assert proposer.propose(number, known) == proposed(number, known, settings)


def test_a_trial_is_not_proposed_before_its_window_is_finished() -> None:
    records = run(20, config())
    known = dict(records) | {16: proposed(16, records, config())}
    with pytest.raises(ValueError, match="trial 20 cannot be proposed before trial 16"):
        proposed(20, known, config())


def test_the_window_is_part_of_the_search() -> None:
    assert params_of(run(20, config(lookahead=1))) != params_of(run(20, config(lookahead=4)))


def test_floats_are_as_reported_and_inside_the_space() -> None:
    space = {"lr": {"type": "float", "low": 1 / 3e4, "high": 1 / 9, "log": True}}
    settings = config(search_space=space, include_defaults=False)
    [distribution] = distributions(settings.search_space.searched).values()
    for seed in range(40):
        lr = proposed(0, {}, settings, seed).params["lr"]
        assert canonical(lr) == lr
        assert distribution._contains(lr)


def test_distributions_are_sorted_and_typed() -> None:
    space = distributions(config().hpo.search_space)
    assert list(space) == ["batch_size", "dim", "epochs", "lr"]
    assert space["dim"] == optuna.distributions.IntDistribution(8, 64, step=8)
    assert space["lr"] == optuna.distributions.FloatDistribution(1e-4, 1e-1, log=True)
    assert space["batch_size"] == optuna.distributions.CategoricalDistribution((128, 256, 512))
