"""Fresh seeds for the best trials, with an objective that a formula gives."""

import os
import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY
from twotower.common.errors import TrainingError
from twotower.common.seeds import derive_seed
from twotower.config import parse_config
from twotower.config.hpo import ConfirmConfig, HpoConfig
from twotower.search.confirmation import Confirmation
from twotower.search.dispatcher import Dispatcher
from twotower.search.driver import SearchResult
from twotower.search.front import Goals
from twotower.search.objective import Report
from twotower.search.proposals.pruners import Pruning
from twotower.search.run_trial import Evaluate, execute
from twotower.search.trial import Key, Trial
from twotower.search.workers.workers import SerialWorkers, WorkerDiedError

SEEDS = [derive_seed(42, "confirm", n) for n in range(4)]
# Trial 0 was lucky, trial 1 is the best of all seeds, trial 2 depends on its seed most.
WORTH: dict[int, list[float]] = {
    0: [0.30, 0.32, 0.28, 0.31],
    1: [0.50, 0.52, 0.48, 0.50],
    2: [0.20, 0.60, 0.40, 0.10],
}
OWN = {0: 0.9, 1: 0.5, 2: 0.45}


def trial(number: int, value: float | None, state: Any = "COMPLETE", **params: Any) -> Trial:
    metrics = {} if value is None else {"recall_at_10": value}
    return Trial(number, state, {"n": number, **params}, "p", value, metrics, losses=[1.0])


def result(*more: Trial) -> SearchResult:
    trials = [trial(number, value) for number, value in OWN.items()]
    return SearchResult([*trials, *more], complete=True, goals=Goals({"mrr": "maximize"}))


class Objective:
    """Values of a table; counts the runs."""

    def __init__(self) -> None:
        self.runs: list[tuple[int, int]] = []

    def __call__(self, trial: Trial, _report: Report | None = None) -> Trial:
        assert trial.seed is not None, "a trial that is confirmed has a fresh seed"
        index = SEEDS.index(trial.seed)
        self.runs.append((trial.params["n"], index))
        value = self.value(trial.params["n"], index)
        metrics = {"recall_at_10": value}
        losses = self.losses(index)
        return replace(trial, state="COMPLETE", value=value, metrics=metrics, losses=losses)

    def value(self, number: int, index: int) -> float:
        return WORTH[number][index]

    def losses(self, index: int) -> list[float]:
        return [float(index)]


class Confirming:
    """One confirmation in a folder, and what it ran and said."""

    def __init__(
        self,
        folder: Path,
        found: SearchResult | None = None,
        objective: Objective | None = None,
        workers: Any = None,
        timeout: float | None = None,
        **asked: Any,
    ) -> None:
        self.said: list[str] = []
        self.objective = objective or Objective()
        found = found or result()
        confirmation = Confirmation(
            parse_config({}), ConfirmConfig(**asked), folder, "p", self.said.append
        )
        self.missing = confirmation.num_missing(found.trials)
        dispatcher = Dispatcher(
            HpoConfig(timeout=timeout), workers or SerialWorkers(self.objective)
        )
        self.result = confirmation.run(found, dispatcher)

    @property
    def json(self) -> dict[str, Any]:
        assert self.result.confirmed is not None
        return self.result.confirmed.to_json()


def test_the_mean_of_fresh_seeds_chooses(tmp_path: Path) -> None:
    run = Confirming(tmp_path, top=3, seeds=3)
    assert run.result.winner == trial(1, 0.5)
    assert run.json["chosen"] == 1
    assert (run.json["top"], run.json["seeds"]) == (3, 3)
    assert [found["number"] for found in run.json["trials"]] == [0, 1, 2]
    assert run.json["trials"][0] == {
        "failure": None,
        "mean": pytest.approx(0.3),
        "number": 0,
        "std": pytest.approx(0.02),
        "value": 0.9,
        "values": [0.3, 0.32, 0.28],
    }
    # Variances 0.02², 0.02², 0.2²; the values 0.9, 0.5, 0.45 have the mean 0.61667.
    assert run.json["spread"] == {
        "seeds": pytest.approx(((0.0004 + 0.0004 + 0.04) / 3) ** 0.5),
        "trials": pytest.approx(0.246644),
    }
    assert run.result.confirmed is not None
    assert run.result.confirmed.metrics() == {"recall_at_10": pytest.approx(0.5)}


def test_only_complete_trials_are_confirmed_and_no_more_than_there_are(tmp_path: Path) -> None:
    found = result(trial(3, 0.99, "PRUNED"), trial(4, None, "FAIL"))
    assert [t["number"] for t in Confirming(tmp_path, found, top=9).json["trials"]] == [0, 1, 2]
    assert [t["number"] for t in Confirming(tmp_path, found, top=2).json["trials"]] == [0, 1]


def test_what_is_there_is_not_run_again(tmp_path: Path) -> None:
    first = Confirming(tmp_path, top=2, seeds=2)
    assert first.missing == len(first.objective.runs) == 4
    again = Confirming(tmp_path, top=2, seeds=2)
    assert again.missing == len(again.objective.runs) == 0
    assert again.json == first.json
    wider = Confirming(tmp_path, top=3, seeds=4)
    assert set(wider.objective.runs) == {(2, 0), (2, 1), (0, 2), (1, 2), (2, 2)} | {
        (n, 3) for n in range(3)
    }
    assert any("4 of 12 runs are done" in line for line in wider.said)
    assert wider.json == Confirming(tmp_path / "fresh", top=3, seeds=4).json
    assert Confirming(tmp_path, top=2, seeds=2).json == first.json


def test_a_run_of_other_hyperparameters_does_not_count(tmp_path: Path) -> None:
    Confirming(tmp_path, top=2, seeds=2)
    found = result()
    found.trials[1] = trial(1, 0.5, dim=8)
    assert set(Confirming(tmp_path, found, top=2, seeds=2).objective.runs) == {(1, 0), (1, 1)}


class Threads:
    """Several at a time, finishing in any order."""

    count = 3

    def __init__(self, objective: Evaluate) -> None:
        self._objective = objective
        self._pool = ThreadPoolExecutor(self.count)

    def submit(self, trial: Trial, pruning: Pruning | None = None) -> Future[Trial]:
        return self._pool.submit(execute, trial, self._objective, pruning)


def test_workers_change_nothing(tmp_path: Path) -> None:
    objective = Objective()
    parallel = Confirming(tmp_path / "a", workers=Threads(objective), top=3, seeds=4)
    assert sorted(objective.runs) == [(n, seed) for n in range(3) for seed in range(4)]
    assert parallel.json == Confirming(tmp_path / "b", top=3, seeds=4).json


class Mortal:
    """Dies under each run the first `deaths` times."""

    count = 1

    def __init__(self, deaths: int, objective: Evaluate | None = None) -> None:
        self._deaths = deaths
        self._objective = objective or Objective()
        self._tries: Counter[Key] = Counter()

    def submit(self, trial: Trial, pruning: Pruning | None = None) -> Future[Trial]:
        future: Future[Trial] = Future()
        self._tries[trial.key] += 1
        if self._tries[trial.key] <= self._deaths:
            future.set_exception(WorkerDiedError("its worker died"))
        else:
            future.set_result(execute(trial, self._objective, pruning))
        return future


def test_dead_workers(tmp_path: Path) -> None:
    straight = Confirming(tmp_path / "straight", top=2).json
    assert Confirming(tmp_path / "twice", workers=Mortal(2), top=2).json == straight
    always = Confirming(tmp_path / "always", workers=Mortal(3), top=2)
    assert always.result.winner == trial(0, 0.9)
    assert always.result.compared == always.result.finalists
    assert always.json["trials"][0]["failure"] == "its worker died in each of 3 tries"


class Frozen(Objective):
    def value(self, number: int, _index: int) -> float:
        return WORTH[number][0]

    def losses(self, _index: int) -> list[float]:
        return []


def test_refused_where_seeds_change_nothing(tmp_path: Path) -> None:
    run = Confirming(tmp_path, objective=Frozen(), top=3, seeds=4)
    assert run.result == result()
    assert run.result.winner == trial(0, 0.9)
    assert len(run.objective.runs) == 6, "two seeds each show it"
    assert "fresh seeds give the same results" in run.said[-1]
    again = Confirming(tmp_path, objective=Frozen(), top=3, seeds=4)
    assert (again.missing, again.objective.runs) == (0, [])
    assert "fresh seeds give the same results" in again.said[-1]


class Brittle(Objective):
    def value(self, number: int, index: int) -> float:
        if (number, index) == (1, 2):
            msg = "the loss is not finite"
            raise TrainingError(msg)
        return super().value(number, index)


def test_a_trial_that_fails_with_a_fresh_seed_is_not_chosen(tmp_path: Path) -> None:
    run = Confirming(tmp_path, objective=Brittle(), top=3, seeds=3)
    assert run.json["chosen"] == 2
    failed = run.json["trials"][1]
    assert failed["failure"] == "the loss is not finite"
    assert failed["values"] == [0.5, 0.52, None]
    assert (failed["mean"], failed["std"]) == (None, None)
    assert run.json["spread"]["seeds"] == pytest.approx(((0.0004 + 0.04) / 2) ** 0.5)


def test_the_time_budget_holds(tmp_path: Path) -> None:
    run = Confirming(tmp_path, timeout=1e-9, top=2)
    assert run.result == result()
    assert run.objective.runs == []
    assert "time budget" in run.said[-1]


def test_a_damaged_run_is_named_and_run_again(tmp_path: Path) -> None:
    Confirming(tmp_path, top=2, seeds=2)
    path = tmp_path / str(SEEDS[1]) / "0001.json"
    path.write_text("{")
    run = Confirming(tmp_path, top=2, seeds=2)
    assert re.search(r"0001\.json: damaged.*the search runs trial 1 again", run.said[0])
    assert run.objective.runs == [(1, 1)]


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.search.test_confirmation import Confirming, Objective

class Killed(Objective):
    def value(self, number, index):
        if len(self.runs) > 4:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().value(number, index)

Confirming(Path(sys.argv[1]), objective=Killed(), top=3, seeds=3)
"""


@pytest.mark.skipif(os.name == "nt", reason="kills itself")
@pytest.mark.slow
def test_killed_and_resumed_equals_straight(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path / "killed")]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    kills = 0
    while subprocess.run(command, env=environment, check=False).returncode:
        kills += 1
        kept = list((tmp_path / "killed").glob("*/[0-9]*.json"))
        assert len(kept) == 4 * kills, "finished runs outlive the kill"
    assert kills == 2, "nine runs, four before each kill"
    straight = Confirming(tmp_path / "straight", top=3, seeds=3)
    resumed = Confirming(tmp_path / "killed", top=3, seeds=3)
    assert resumed.objective.runs == []
    assert resumed.json == straight.json
