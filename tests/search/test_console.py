"""What the summary of a search says."""

from typing import Any

import pytest

from twotower.search.console import SearchConsole

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
    SearchConsole("mrr").summary({"best_trial": None, **results}, ["a.json"])
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


@pytest.mark.parametrize("confirm", [{}, {"confirm": None}])
def test_without_confirmation(capsys: pytest.CaptureFixture[str], confirm: Any) -> None:
    assert "seed" not in summary(capsys, **confirm)
