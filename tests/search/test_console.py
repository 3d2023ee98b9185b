"""What a search says while it runs, and its summary."""

import io
import time
from collections.abc import Iterator
from typing import Any

import pytest

from twotower.common.display import Display
from twotower.common.progress import track, watched
from twotower.search.console import SearchConsole
from twotower.search.front import Goals
from twotower.search.trial import Trial

CONFIRM: dict[str, Any] = {
    "chosen": 7,
    "seeds": 3,
    "spread": {"seeds": 0.004, "trials": 0.003},
    "top": 2,
    "trials": [
        {"number": 2, "value": 0.31, "mean": None, "std": None, "failure": "diverged"},
        {"number": 7, "value": 0.3, "mean": 0.25, "std": 0.01, "failure": None},
    ],
}


def summary(capsys: pytest.CaptureFixture[str], **results: Any) -> str:
    SearchConsole(Goals({"mrr": "maximize"})).summary({"best_trial": None, **results}, ["a.json"])
    return capsys.readouterr().out


def test_confirmed_trials_and_spreads(capsys: pytest.CaptureFixture[str]) -> None:
    said = summary(capsys, confirm=CONFIRM)
    assert "mrr over 3 fresh seeds" in said
    assert "trial 2    failed: diverged  (0.3100)\n" in said
    assert "trial 7    0.2500 ± 0.0100  (0.3000)  chosen" in said
    assert "seed to seed 0.0040, from trial to trial 0.0030: the trials differ no more" in said


def test_a_search_that_found_something(capsys: pytest.CaptureFixture[str]) -> None:
    found = {**CONFIRM, "spread": {"seeds": 0.001, "trials": 0.02}}
    assert "differ no more" not in summary(capsys, confirm=found)


def test_the_rungs_of_a_sample(capsys: pytest.CaptureFixture[str]) -> None:
    trials: list[dict[str, Any]] = [
        {"number": 1, "value": 0.31, "failure": None},
        {"number": 0, "value": None, "failure": "diverged"},
    ]
    rung = {"num_train_rows": 4000, "num_train_users": 90, "trials": trials}
    before = [{"number": 0, "value": 0.25}, {"number": 1, "value": 0.24}]
    said = summary(capsys, sample={"rungs": [rung]}, trials=before)
    assert "mrr trained on 4,000 rows of 90 users (on the sample):\n" in said
    assert "  trial 1    0.3100  (0.2400)\n  trial 0    failed: diverged  (0.2500)\n" in said


@pytest.mark.parametrize("confirm", [{}, {"confirm": None}])
def test_without_confirmation(capsys: pytest.CaptureFixture[str], confirm: Any) -> None:
    assert "seed" not in summary(capsys, **confirm)


def trial(number: int, state: Any = "COMPLETE", value: float = 0.2413) -> Trial:
    """Took ten seconds."""
    return Trial(number, state, {"lr": 0.1}, value=value, started=1_000, finished=11_000)


def counts() -> dict[str, int]:
    names = ("num_users", "num_items", "num_train_rows", "num_validation_rows")
    return dict.fromkeys(names, 1)


@pytest.fixture
def seen() -> Iterator[Display]:
    display = Display(io.StringIO(), terminal=False)
    with watched(display):
        yield display


def begun(done: int, total: int, timeout: float | None = None) -> SearchConsole:
    console = SearchConsole(Goals({"mrr": "maximize"}), timeout)
    location: Any = None
    console.start(location, counts(), [trial(number) for number in range(done)], total)
    return console


def line(display: Display) -> str:
    """What a log would show now, without the time."""
    shown, now = display._open, time.monotonic()
    display._write(shown, now)
    return str(display._stream.getvalue().splitlines()[-1].rpartition(" (")[0])  # type: ignore[attr-defined]


def test_a_search_shows_how_it_stands(seen: Display) -> None:
    console = begun(done=2, total=20)
    console.running([trial(2)])
    assert line(seen) == "trials 2/20, best 0.241, 1 running"
    console.trial(trial(2, "PRUNED", 0.9))
    console.running([trial(3), trial(4)])
    # 20 - 3 trials of 10 s, on two workers.
    assert line(seen) == "trials 3/20, best 0.241, about 1 min left, 2 running, 1 pruned"


def test_no_more_time_is_left_than_the_budget(seen: Display) -> None:
    begun(done=3, total=1000, timeout=25)
    assert line(seen) == "trials 3/1,000, best 0.241, about 25 s left, 0 running"


def test_the_epoch_of_a_trial_is_shown(seen: Display) -> None:
    console = begun(done=1, total=2)
    console.running([trial(1)])
    with watched(console.epochs.add_worker()):
        for _ in track(range(9), "epoch"):
            with watched(seen):
                assert line(seen) == "trials 1/2, best 0.241, 1 running, epoch 0/9"
            break


def test_a_search_that_is_done_shows_no_bar(seen: Display) -> None:
    begun(done=3, total=3)
    assert seen._open == []


def test_confirmation_runs_are_no_trials_of_the_search(seen: Display) -> None:
    console = begun(done=3, total=4)
    console.trial(trial(3))
    console.running([trial(1)])
    assert line(seen) == "trials 4/4, best 0.241, 1 running"
