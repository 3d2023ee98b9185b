"""The frame of `python -m benchmarks.chaos`, and a kill in a run as its long form has many."""

import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("sends POSIX signals", allow_module_level=True)

from benchmarks.chaos import __main__ as frame
from benchmarks.chaos.attack import Attack, NotPossible, Outcome
from benchmarks.chaos.kills import STARTS, chain, check_output
from benchmarks.chaos.stored import stored_trials
from benchmarks.chaos.workshop import Workshop
from benchmarks.promises import insist
from twotower.search.store.trial_files import TrialFiles
from twotower.search.trial import Trial

WORKSHOP: Workshop = None  # type: ignore[assignment]  # the attacks below look at none


def held(_workshop: Workshop, chance: random.Random) -> Outcome:
    return Outcome(chance.randint(1, 3), "same bytes")


def broken(_workshop: Workshop, _chance: random.Random) -> Outcome:
    insist(False, "trial 3 is lost")
    raise AssertionError


def impossible(_workshop: Workshop, _chance: random.Random) -> Outcome:
    msg = "no such tool"
    raise NotPossible(msg)


def buggy(_workshop: Workshop, _chance: random.Random) -> Outcome:
    raise ZeroDivisionError


def tally(attack: Attack, times: int = 4) -> frame.Tally:
    return next(frame.run_all(WORKSHOP, [attack], times, seed=0))


def test_an_attack_runs_its_share_of_the_times_from_the_same_seeds() -> None:
    attacks = [Attack("often", "", held, weight=3), Attack("rarely", "", held, weight=0.01)]
    often, rarely = frame.run_all(WORKSHOP, attacks, 6, seed=0)
    assert (often.times, rarely.times) == (6, 1)
    assert often.row()[4:] == ["same bytes: 6", "0"]
    assert often.kills == next(frame.run_all(WORKSHOP, attacks, 6, seed=0)).kills


@pytest.mark.parametrize(("run", "said"), [(broken, "trial 3 is lost"), (buggy, "ZeroDivision")])
def test_a_broken_promise_is_told_with_what_reproduces_it(
    run: Callable[[Workshop, random.Random], Outcome],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = tally(Attack("a", "", run), times=2)
    assert len(found.broken) == 2
    assert said in found.broken[0]
    assert "BROKEN (0 a 1): " in capsys.readouterr().out


def test_what_cannot_run_here_is_said_once() -> None:
    found = tally(Attack("a", "", impossible))
    assert (found.times, found.row()[4]) == (0, "not run: no such tool")


def test_names_stand_for_attacks_and_for_modules() -> None:
    known = frame.modules()
    assert frame.chosen(known, ["kills"]) == list(known["kills"])
    assert [attack.name for attack in frame.chosen(known, ["clock"])] == ["clock"]


def test_one_message_is_clear_and_a_traceback_of_ours_is_not() -> None:
    theirs = 'Traceback:\n  File "/lib/dvc/cli.py", line 3\nKeyboardInterrupt\n'
    check_output(f"{theirs}interrupted; what is finished is kept\nERROR: failed\n", "")
    for unclear in (
        'Traceback:\n  File "/shop/twotower/refit.py", line 3\n',
        "error: a\nerror: b\n",
    ):
        with pytest.raises(AssertionError):
            check_output(unclear, "")


def test_stored_trials_are_found_wherever_a_search_has_put_them(tmp_path: Path) -> None:
    assert stored_trials(tmp_path) == {}
    files = TrialFiles(tmp_path / "identity" / "provenance" / "trials")
    files.write(Trial(0, "COMPLETE", {"lr": 0.1}, value=0.5))
    assert list(stored_trials(tmp_path)) == [0]


@pytest.mark.slow
def test_a_run_that_is_killed_loses_nothing_and_ends_with_the_same_bytes(
    workshop: Workshop,
) -> None:
    start = next(start for start in STARTS if start.name == "kills-repro")
    outcome = chain(start, workshop, random.Random(4), kills=1)  # noqa: S311 - which, and when
    assert outcome.broken is None
    assert outcome.kills == 1
