"""The short form of `python -m benchmarks.fuzz`, and its frame."""

import logging
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import strategies as st

from benchmarks.fuzz import __main__ as frame
from benchmarks.fuzz.kinds import Kind, kinds
from benchmarks.fuzz.limits import TooSlowError, limited
from benchmarks.fuzz.runner import Tally, run
from benchmarks.promises import insist, insist_bounded

SLOW = {"artifacts", "indexes", "results"}
"""Kinds whose cases take more than two seconds."""
CASES = 50


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """The kind `http` starts uvicorn, which sets up its log for good."""
    logs = [logging.getLogger(name) for name in ("uvicorn", "uvicorn.error", "uvicorn.access")]
    before = [(log, log.level, log.propagate, log.handlers[:]) for log in logs]
    yield
    for log, level, propagate, handlers in before:
        log.setLevel(level)
        log.propagate, log.handlers = propagate, handlers


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in kinds()],
)
def test_no_input_breaks_a_promise(name: str) -> None:
    tally = run(kinds()[name], cases=CASES, seed_number=1)
    assert not tally.broken, tally.broken[0]
    assert tally.cases == CASES
    assert len(tally.ended) > 1  # neither is all of it read nor all refused


def a_kind(check: Any) -> Kind:
    return cast(Kind, SimpleNamespace(title="lists", cases=st.integers, check=check))


def test_the_smallest_case_that_breaks_a_promise_is_shown() -> None:
    def check(case: int, folder: Path) -> str:
        assert not list(folder.iterdir())
        (folder / "left").write_text("over")
        insist(case < 1000, "too large")
        return "small"

    tally = run(a_kind(check), cases=500, seed_number=0)
    [broken] = tally.broken
    assert "AssertionError: too large" in broken
    assert "case=1000," in broken
    assert 0 < tally.cases < 500


def test_every_case_counts_under_how_it_ended() -> None:
    tally = run(a_kind(lambda case, _: "even" if case % 2 == 0 else "odd"), 300, seed_number=0)
    assert tally.ended.keys() == {"even", "odd"}
    assert tally.cases == 300
    [title, cases, ended, _, broken] = frame.cells(a_kind(None), tally)
    assert (title, cases, broken) == ("lists", "300", "none")
    assert ended == ", ".join(f"{count} {how}" for how, count in tally.ended.most_common())


def test_a_case_that_takes_too_long_is_ended() -> None:
    with pytest.raises(TooSlowError, match=r"more than 0\.01 s"), limited(seconds=0.01):
        time.sleep(0.2)


@pytest.mark.skipif(sys.platform != "linux", reason="the limit of memory is Linux's")
def test_a_case_that_takes_too_much_memory_is_ended() -> None:
    with limited(memory=1 << 24), pytest.raises(MemoryError):
        bytearray(1 << 27)
    bytearray(1 << 27)


@pytest.mark.parametrize("text", ["", " \n", "x" * 1_001, "x\n" * 61])
def test_messages_are_neither_empty_nor_endless(text: str) -> None:
    with pytest.raises(AssertionError):
        insist_bounded(ValueError(text))


def test_a_broken_promise_ends_in_status_1(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(frame, "run", lambda *_: Tally(broken=["ValueError: oh"]))
    file = tmp_path / "table.md"
    monkeypatch.setattr(sys, "argv", ["fuzz", "params", "--cases", "9", "--markdown", str(file)])
    with pytest.raises(SystemExit, match="1"):
        frame.main()
    assert "ValueError: oh" in capsys.readouterr().err
    assert (
        file.read_text(encoding="utf-8").splitlines()[2] == "| `params.yaml` | 0 |  | 0.00 s | 1 |"
    )
