"""The driver against workers that finish, die and dawdle as a test tells them to."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.search.studies import PLAIN
from twotower.common.errors import SearchError
from twotower.common.files import round_float
from twotower.config import Config, parse_config
from twotower.search import dispatcher as dispatcher_module
from twotower.search.dispatcher import Dispatcher, Job
from twotower.search.driver import SearchDriver, SearchResult
from twotower.search.identity import Fingerprint
from twotower.search.objective import Report
from twotower.search.proposals.pruners import Pruning
from twotower.search.run_trial import execute
from twotower.search.store.live_study import LiveStudy, open_study
from twotower.search.store.location import StudyLocation
from twotower.search.trial import Trial
from twotower.search.workers.workers import WorkerDiedError


def objective(trial: Trial, _report: Report | None = None) -> Trial:
    value = round_float(trial.params["dim"] / 64 - abs(trial.params["lr"] - 0.01))
    metrics = {"recall_at_10": value}
    return replace(trial, state="COMPLETE", value=value, metrics=metrics, losses=[1.0])


class Scripted:
    """Finishes one of the running trials, chosen at random, whenever the driver waits."""

    def __init__(self, count: int, seed: int = 0, deaths: Callable[[int, int], bool] | None = None):
        self.count = count
        self.begun: list[int] = []
        self.most = 0
        self._running: list[tuple[Job, Future[Trial]]] = []
        self._random = np.random.default_rng(seed)
        self._deaths = deaths or (lambda _number, _try: False)

    def submit(self, trial: Trial, pruning: Pruning | None = None) -> Future[Trial]:
        self.begun.append(trial.number)
        future: Future[Trial] = Future()
        self._running.append(((trial, pruning), future))
        self.most = max(self.most, len(self._running))
        if len(self._running) == self.count:
            self.finish_one()
        return future

    def finish_one(self) -> None:
        (trial, pruning), future = self._running.pop(self._random.integers(len(self._running)))
        if self._deaths(trial.number, self.begun.count(trial.number)):
            future.set_exception(WorkerDiedError("its worker died"))
        else:
            future.set_result(execute(trial, objective, pruning))

    def stop(self) -> None:
        self._running.clear()


@pytest.fixture(autouse=True)
def finish_when_the_driver_waits(monkeypatch: pytest.MonkeyPatch) -> list[Scripted]:
    """Let the workers go on when nothing is done yet, as real ones would."""

    whole, active = dispatcher_module.wait, []

    def wait(futures: Any, timeout: float | None, when: str) -> Any:
        if active and not any(future.done() for future in futures):
            active[0].finish_one()
        return whole(futures, timeout, when)

    monkeypatch.setattr(dispatcher_module, "wait", wait)
    return active


def config(**hpo: Any) -> Config:
    sampler = {"type": "tpe", "n_startup_trials": 5}
    given = {"n_trials": 10, "lookahead": 4, "search_space": PLAIN, "sampler": sampler}
    return parse_config({"hpo": given | hpo})


def study_in(folder: Path, settings: Config) -> Any:
    where = StudyLocation(
        folder / ".hpo", folder / "study.db", Fingerprint({"x": 1}), Fingerprint({"code": "c"})
    )
    return open_study(where, settings.hpo, print)


def run(folder: Path, workers: Any, active: list[Any], **hpo: Any) -> SearchResult:
    settings = config(**hpo)
    active[:] = [workers] if isinstance(workers, Scripted) else []
    with study_in(folder, settings) as study:
        return SearchDriver(
            settings, study, Dispatcher(settings.hpo, workers), "p", lambda _trial: None
        ).run()


def essence(result: SearchResult) -> list[Trial]:
    return [trial.without_times() for trial in result.trials]


Active = list[Scripted]


def test_neither_number_of_workers_nor_order_of_finish_changes_a_trial(
    tmp_path: Path, finish_when_the_driver_waits: Active
) -> None:
    active = finish_when_the_driver_waits
    want = essence(run(tmp_path / "one", Scripted(1), active))
    assert [trial.number for trial in want] == list(range(10))
    for count, seed in ((2, 0), (3, 1), (4, 2), (4, 3)):
        workers = Scripted(count, seed)
        assert essence(run(tmp_path / f"{count}-{seed}", workers, active)) == want
        assert workers.most == count


def test_no_trial_is_begun_before_the_window_allows(
    tmp_path: Path, finish_when_the_driver_waits: Active
) -> None:
    workers = Scripted(8, seed=3)
    run(tmp_path, workers, finish_when_the_driver_waits, lookahead=2)
    assert workers.most == 2
    assert workers.begun == list(range(10))


def test_a_trial_whose_worker_died_runs_again(
    tmp_path: Path, finish_when_the_driver_waits: Active
) -> None:
    active = finish_when_the_driver_waits
    want = essence(run(tmp_path / "calm", Scripted(1), active))
    workers = Scripted(3, deaths=lambda number, tries: number % 3 == 0 and tries < 3)
    assert essence(run(tmp_path / "deaths", workers, active)) == want
    assert workers.begun.count(3) == 3


def test_a_trial_that_kills_every_worker_fails_and_the_study_goes_on(
    tmp_path: Path, finish_when_the_driver_waits: Active
) -> None:
    workers = Scripted(3, deaths=lambda number, _tries: number == 5)
    result = run(tmp_path, workers, finish_when_the_driver_waits, tries=2)
    assert result.complete
    assert result.trials[5].state == "FAIL"
    assert result.trials[5].failure == "its worker died in each of 2 tries"
    assert [trial.state for trial in result.trials].count("FAIL") == 1
    assert workers.begun.count(5) == 2


class Clock:
    """The driver's time, in seconds: it passes while trials run on, not while a disk is slow."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("twotower.search.dispatcher.time", clock)
    return clock


class Slow(Scripted):
    """Never finishes the trials from `stuck` on by itself."""

    def __init__(self, stuck: int, clock: Clock) -> None:
        super().__init__(1)
        self._stuck, self._clock = stuck, clock

    def finish_one(self) -> None:
        if self._running[0][0][0].number < self._stuck:
            super().finish_one()
        else:
            self._clock.now += 0.4


class FirstIsSlow(Scripted):
    """Finishes trial 0 after three seconds, and the others at once."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(2)
        self._clock = clock

    def submit(self, trial: Trial, pruning: Pruning | None = None) -> Future[Trial]:
        future: Future[Trial] = Future()
        if trial.number == 0:
            self._running.append(((trial, pruning), future))
        else:
            future.set_result(execute(trial, objective, pruning))
        return future

    def finish_one(self) -> None:
        self._clock.now += 1
        if self._clock.now >= 3:
            super().finish_one()


def test_grace_time_cuts_what_still_runs(
    tmp_path: Path, finish_when_the_driver_waits: Active, clock: Clock
) -> None:
    active = finish_when_the_driver_waits
    cut = run(tmp_path, Slow(2, clock), active, timeout=0.5, timeout_grace=0.2)
    assert 0.7 < clock.now < 1.5
    assert [trial.number for trial in cut.trials] == [0, 1]
    assert not cut.complete
    whole = run(tmp_path, Scripted(2), active)
    assert whole.complete
    assert essence(whole) == essence(run(tmp_path / "calm", Scripted(1), active))


def test_a_spent_budget_is_a_prefix_even_when_later_trials_are_done(
    tmp_path: Path, finish_when_the_driver_waits: Active, clock: Clock
) -> None:
    active = finish_when_the_driver_waits
    settings = config()
    want = essence(run(tmp_path / "calm", Scripted(1), active))
    with study_in(tmp_path, settings) as study:
        study.add(want[0])
        study.add(want[2])  # as after a kill: trial 1 was still running
    cut = run(tmp_path, Slow(0, clock), active, timeout=1e-9, timeout_grace=0.0)
    assert [trial.number for trial in cut.trials] == [0]
    assert not cut.complete
    assert essence(run(tmp_path, Scripted(2), active)) == want


def test_grace_time_cuts_anything_but_the_first_trial(
    tmp_path: Path, finish_when_the_driver_waits: Active, clock: Clock
) -> None:
    workers = FirstIsSlow(clock)
    cut = run(tmp_path, workers, finish_when_the_driver_waits, timeout=0.5, timeout_grace=0.0)
    assert [trial.number for trial in cut.trials] == [0, 1, 2, 3]
    assert not cut.complete


def test_all_trials_failing_is_an_error(
    tmp_path: Path, finish_when_the_driver_waits: Active
) -> None:
    workers = Scripted(2, deaths=lambda _number, _tries: True)
    with pytest.raises(SearchError, match="none of 10 trials completed"):
        run(tmp_path, workers, finish_when_the_driver_waits, tries=1)


def test_every_trial_is_told_of_once(tmp_path: Path, finish_when_the_driver_waits: Active) -> None:
    settings = config(n_trials=6)
    workers = Scripted(3, seed=1)
    finish_when_the_driver_waits[:] = [workers]
    told: list[int] = []

    def on_trial(trial: Trial) -> None:
        assert trial.number in study.trials
        told.append(trial.number)

    study: LiveStudy
    with study_in(tmp_path, settings) as study:
        SearchDriver(settings, study, Dispatcher(settings.hpo, workers), "p", on_trial).run()
    assert sorted(told) == list(range(6))
