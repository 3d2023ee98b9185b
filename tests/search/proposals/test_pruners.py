"""A pruner knows the trials that the proposal knew, and nothing else."""

import pickle
from dataclasses import replace
from typing import Any

import pytest

from tests.search.studies import config
from twotower.search.objective import Report
from twotower.search.proposals.pruners import EpochWatch, pruning_of
from twotower.search.run_trial import execute
from twotower.search.trial import Params, Trial

PRUNERS: dict[str, Any] = {
    "median": {"type": "median", "n_startup_trials": 3},
    "hyperband": {"type": "hyperband", "reduction_factor": 2},
    "successive_halving": {"type": "successive_halving", "reduction_factor": 2},
}


def curve(trial: Trial, report: Report | None = None) -> Trial:
    """Rises to `dim`, more slowly for a high `lr`; like the objective, it may be stopped."""
    params, value = trial.params, 0.0
    for epoch in range(1, params["epochs"] + 1):
        value = round(params["dim"] * (1 - params["lr"]) ** (10 / epoch), 6)
        last = epoch == params["epochs"]
        if report is not None and report(epoch, value) and not last:
            return replace(trial, state="PRUNED", value=value, losses=[1.0] * epoch)
    return replace(trial, state="COMPLETE", value=value, losses=[1.0] * params["epochs"])


def params_of(number: int) -> Params:
    return {"dim": 8 * (number * 5 % 8 + 1), "epochs": 3 + number * 7 % 13, "lr": 0.01}


def finished(number: int, trials: dict[int, Trial], settings: Any) -> Trial:
    pruning = pruning_of(number, trials, settings.hpo, settings.search_space)
    trial = Trial(number, "RUNNING", params_of(number), "p", system_attrs={"a": 1})
    trial, pruning = pickle.loads(pickle.dumps((trial, pruning)))  # noqa: S301 - as sent to a worker
    return execute(trial, curve, pruning)


def run(count: int, pruner: Any, **hpo: Any) -> dict[int, Trial]:
    settings = config(pruner=pruner, **hpo)
    records: dict[int, Trial] = {}
    for number in range(count):
        records[number] = finished(number, records, settings)
    return records


def plain(record: Trial) -> dict[str, Any]:
    return record.without_times().to_json()


@pytest.mark.parametrize("pruner", PRUNERS)
def test_some_trials_are_stopped_and_keep_what_they_had(pruner: str) -> None:
    records = run(20, PRUNERS[pruner]).values()
    stopped = [record for record in records if record.state == "PRUNED"]
    assert 2 < len(stopped) < 18
    for record in stopped:
        last = len(record.losses)
        assert last < record.params["epochs"]
        assert list(record.intermediate) == list(range(1, last + 1))
        assert record.value == record.intermediate[last]
        assert record.failure is None
    for record in records:
        assert record.system_attrs["a"] == 1
    whole = [record for record in records if record.state == "COMPLETE"]
    assert all(len(record.intermediate) == record.params["epochs"] for record in whole)


@pytest.mark.parametrize("pruner", PRUNERS)
def test_trials_in_the_window_make_no_difference(pruner: str) -> None:
    settings = config(pruner=PRUNERS[pruner])
    records = run(19, PRUNERS[pruner])
    expected = plain(finished(19, records, settings))
    known = {number: records[number] for number in range(16)}
    assert plain(finished(19, known, settings)) == expected
    with pytest.raises(KeyError):
        finished(19, {number: records[number] for number in range(15)}, settings)


@pytest.mark.parametrize("pruner", PRUNERS)
def test_records_that_went_through_json_lead_to_the_same(pruner: str) -> None:
    settings = config(pruner=PRUNERS[pruner])
    records = run(19, PRUNERS[pruner])
    read = {n: Trial.from_json(record.to_json()) for n, record in records.items()}
    assert plain(finished(19, read, settings)) == plain(finished(19, records, settings))


def test_without_a_pruner_nothing_is_reported() -> None:
    record = run(1, "none")[0]
    assert (record.state, record.intermediate) == ("COMPLETE", {})
    assert pruning_of(0, {}, config().hpo, config().search_space) is None


def test_the_median_waits_for_trials_and_for_epochs() -> None:
    early = run(20, {"type": "median", "n_startup_trials": 3, "n_warmup_steps": 2})
    assert min(len(r.losses) for r in early.values() if r.state == "PRUNED") == 3
    assert all(early[number].state == "COMPLETE" for number in range(6))  # 3 + lookahead - 1
    late = run(20, {"type": "median", "n_startup_trials": 30})
    assert {record.state for record in late.values()} == {"COMPLETE"}


def test_a_trial_in_its_last_epoch_is_not_stopped() -> None:
    settings = config(pruner=PRUNERS["median"])
    records = run(12, PRUNERS["median"])
    pruning = pruning_of(12, records, settings.hpo, settings.search_space)
    trial = Trial(12, "RUNNING", {"dim": 8, "epochs": 1, "lr": 0.5})
    assert EpochWatch(12, pruning)(1, 0.0)
    assert execute(trial, curve, pruning).state == "COMPLETE"


@pytest.mark.parametrize(
    ("space", "fixed", "most"),
    [
        ({"epochs": {"type": "int", "low": 3, "high": 15}}, {}, 15),
        ({"epochs": {"type": "categorical", "choices": [20, 5, 10]}}, {}, 20),
        ({"epochs": {"type": "int", "low": 3, "high": 15}, "dim": None}, {"epochs": 7}, 7),
        ({"dim": None}, {}, 5),
    ],
)
def test_the_most_epochs_are_those_of_the_space(space: Any, fixed: Any, most: int) -> None:
    if "dim" in space:
        space = space | {"dim": {"type": "int", "low": 8, "high": 64, "step": 8}}
    settings = config(pruner="hyperband", search_space=space, fixed=fixed)
    pruning = pruning_of(0, {}, settings.hpo, settings.search_space)
    assert pruning is not None
    assert pruning.most_epochs == most
