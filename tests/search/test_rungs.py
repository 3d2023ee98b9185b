"""The best trials of a sample go on to more users; with an objective that a formula gives."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.search.test_confirmation import Mortal, Threads
from twotower.common.errors import TrainingError
from twotower.config.hpo import HpoConfig
from twotower.search.dispatcher import Dispatcher
from twotower.search.driver import SearchResult
from twotower.search.front import Goals
from twotower.search.objective import Report
from twotower.search.rungs import Rungs
from twotower.search.shares import SAMPLE_ROWS, num_going_on, shares_of
from twotower.search.trial import Trial
from twotower.search.workers.workers import SerialWorkers

SHARES = (0.05, 0.2, 1.0)
ON_SAMPLE = [0.5, 0.9, 0.8, 0.7, 0.6, 0.4, 0.3, 0.2]
WORTH = {0.2: {1: 0.6, 2: 0.7, 3: 0.3}, 1.0: {1: 0.55, 2: 0.5}}


def found(values: list[float]) -> SearchResult:
    trials = [Trial(n, "COMPLETE", {"n": n}, "p", v) for n, v in enumerate(values)]
    return SearchResult(trials, complete=True, goals=Goals({"mrr": "maximize"}))


class Objective:
    """Values of a table; counts the runs."""

    def __init__(self, worth: Mapping[float, Mapping[int, float]] = WORTH) -> None:
        self.runs: list[tuple[int, float | None]] = []
        self._worth = worth

    def __call__(self, trial: Trial, _report: Report | None = None) -> Trial:
        assert trial.share is not None
        self.runs.append((trial.number, trial.share))
        value = self._worth[trial.share].get(trial.number, 0.1)
        if value < 0:
            msg = "the loss is not finite"
            raise TrainingError(msg)
        return replace(trial, state="COMPLETE", value=value, metrics={"mrr": value})


class Climbing:
    """The rungs of a search in a folder, and what ran and was said."""

    def __init__(
        self,
        folder: Path,
        values: list[float] = ON_SAMPLE,
        objective: Objective | None = None,
        workers: Any = None,
        timeout: float | None = None,
    ) -> None:
        self.said: list[str] = []
        self.objective = objective or Objective()
        rungs = Rungs(Goals({"mrr": "maximize"}), SHARES, folder, "p", self.said.append)
        self.missing = len(rungs.state(found(values).trials)[1])
        workers = workers or SerialWorkers(self.objective)
        self.result = rungs.run(found(values), Dispatcher(HpoConfig(timeout=timeout), workers))

    @property
    def reached(self) -> dict[float, list[int]]:
        return {rung.share: [run.number for run in rung.runs] for rung in self.result.rungs}


@pytest.mark.parametrize(
    ("sample", "rows", "shares"),
    [
        ("auto", SAMPLE_ROWS, (1.0,)),
        ("auto", 0, (1.0,)),
        (None, 10**9, (1.0,)),
        (1.0, 10**9, (1.0,)),
        ("auto", 4 * SAMPLE_ROWS, (0.25, 1.0)),
        ("auto", 16 * SAMPLE_ROWS, (0.0625, 0.25, 1.0)),
        (0.9, 100, (0.9, 1.0)),
    ],
)
def test_the_shares_follow_from_the_first(sample: Any, rows: int, shares: tuple[float]) -> None:
    assert shares_of(sample, rows) == pytest.approx(shares)
    assert shares_of(sample, rows)[-1] == 1


def test_rungs_cost_alike_but_for_the_two_that_are_left() -> None:
    assert num_going_on(20, (0.0625, 0.25, 1.0)) == [5, 2]
    assert num_going_on(100, (0.0625, 0.25, 1.0)) == [25, 3]
    assert num_going_on(20, (0.25, 1.0)) == [2]
    assert num_going_on(3, (0.25, 1.0)) == [2]
    assert num_going_on(20, (1.0,)) == []


def test_the_best_on_all_users_wins(tmp_path: Path) -> None:
    run = Climbing(tmp_path)
    assert run.reached == {0.2: [1, 2], 1.0: [2, 1]}, "the best of the rung before first"
    winner = run.result.winner
    assert winner is not None
    assert (winner.number, winner.value, winner.share) == (1, 0.55, 1.0)
    assert "2 on 20.0% of the users, then 2 on all users" in run.said[0]
    assert run.said[-1] == "trial 1 on all users: mrr 0.5500"


def test_what_is_there_is_not_run_again(tmp_path: Path) -> None:
    first = Climbing(tmp_path)
    again = Climbing(tmp_path)
    assert (again.missing, again.objective.runs) == (0, [])
    assert again.result == first.result
    # A search that has grown may have others to run; runs that no rung needs are left alone.
    grown = Climbing(tmp_path, [*ON_SAMPLE, 0.95])
    assert grown.objective.runs == [(8, 0.2), (8, 1.0)]
    fresh = Climbing(tmp_path / "fresh", [*ON_SAMPLE, 0.95])
    assert _without_times(grown.result) == _without_times(fresh.result)
    assert Climbing(tmp_path).result == first.result
    worse = found(ON_SAMPLE).trials
    other = [replace(trial, params={"n": 5, "dim": 8}) for trial in worse]
    state = Rungs(Goals({"mrr": "maximize"}), SHARES, tmp_path, "p", print).state(other)
    assert len(state[1]) == 2, "runs of other hyperparameters do not count"


def test_workers_and_their_deaths_change_nothing(tmp_path: Path) -> None:
    straight = _without_times(Climbing(tmp_path / "a").result)
    parallel = Climbing(tmp_path / "b", workers=Threads(Objective()))
    assert _without_times(parallel.result) == straight
    mortal = Climbing(tmp_path / "c", workers=Mortal(2, Objective()))
    assert _without_times(mortal.result) == straight


def _without_times(result: SearchResult) -> list[list[Trial]]:
    return [[run.without_times() for run in rung.runs] for rung in result.rungs]


def test_a_trial_that_fails_on_more_users_goes_no_further(tmp_path: Path) -> None:
    worth = {**WORTH, 0.2: {1: -1.0, 2: 0.7}}
    run = Climbing(tmp_path, objective=Objective(worth))
    assert run.reached == {0.2: [1, 2], 1.0: [2]}
    assert run.result.winner is not None
    assert run.result.winner.number == 2
    # Where all fail on all users, the rung below decides.
    none = Climbing(tmp_path / "none", objective=Objective({**WORTH, 1.0: {1: -1.0, 2: -1.0}}))
    assert none.result.winner is not None
    assert (none.result.winner.number, none.result.winner.share) == (2, 0.2)


def test_without_time_the_largest_finished_rung_counts(tmp_path: Path) -> None:
    cut = Climbing(tmp_path, timeout=1e-9)
    assert cut.result.winner == found(ON_SAMPLE).trials[1]
    assert "the best trial on the sample is kept" in cut.said[-1]
    Climbing(tmp_path)
    for path in (tmp_path / "1").glob("*.json"):
        path.unlink()
    half = Climbing(tmp_path, timeout=1e-9)
    assert half.result.winner is not None
    assert (half.result.winner.number, half.result.winner.share) == (2, 0.2)
    assert "on 20.0% of the users is kept" in half.said[-1]
