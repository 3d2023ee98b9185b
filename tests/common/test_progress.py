"""What a long run shows, and that it shows nothing where nobody watches."""

import io
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from twotower.common import progress
from twotower.common.progress import Display, Step, Steps, part, say, shown, step, track, watched


@contextmanager
def displayed(*, terminal: bool) -> Iterator[tuple[Display, io.StringIO]]:
    stream = io.StringIO()
    display = Display(stream, terminal=terminal)
    with watched(display):
        yield display, stream
    display.clear()


def age(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let time pass."""
    now = time.monotonic() + seconds
    monkeypatch.setattr(progress.time, "monotonic", lambda: now)


class Seen(Steps):
    """Keeps the counts of all open steps after each change."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: list[str] = []

    def changed(self) -> None:
        self.counts.append(" > ".join(one.count() for one in self._open))


@pytest.mark.parametrize(
    ("one", "count"),
    [
        (Step("epoch", 15, 4), "epoch 4/15"),
        (Step("rows read", None, 12_000), "rows read 12,000"),
        (Step("verdict"), "verdict"),
    ],
)
def test_a_step_says_how_far_it_is(one: Step, count: str) -> None:
    assert one.count() == count


def test_items_count_once_the_next_is_asked_for() -> None:
    seen = Seen()
    with watched(seen):
        assert list(track("ab", "letter")) == ["a", "b"]
    assert seen.counts == ["letter 0/2", "letter 1/2", "letter 2/2", ""]


def test_items_count_as_much_as_they_hold() -> None:
    seen = Seen()
    with watched(seen):
        list(track(iter(["abc", "de"]), "letters", size=len))
    assert seen.counts == ["letters", "letters 3", "letters 5", ""]


def test_a_part_counts_in_the_step_around_it_once_it_ends() -> None:
    seen = Seen()
    with watched(seen), step("refit", 2), part("model"):
        list(track([1], "epoch"))
    assert seen.counts[3:] == [
        "refit 0/2 > model > epoch 1/1",
        "refit 0/2 > model",
        "refit 0/2",
        "refit 1/2",
        "",
    ]


def test_steps_that_an_error_left_end_with_the_one_around() -> None:
    seen = Seen()
    with watched(seen), step("refit"):
        with part("model"):
            left = track([1, 2], "epoch")
            next(left)
        assert seen.counts[-1] == "refit 1"
        left.close()
        assert seen.counts[-1] == "refit 1"


def test_without_a_display_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    with step("refit", 1), part("model"):
        assert list(track([1], "epoch")) == [1]
    assert capsys.readouterr() == ("", "")


def test_a_log_gets_a_line_after_a_while_of_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    with displayed(terminal=False) as (display, stream), step("refit", 9), part("ease"):
        display.look()
        assert stream.getvalue() == ""
        age(monkeypatch, progress.HEARTBEAT)
        display.look()
        display.look()
        assert re.fullmatch(r"refit 0/9, ease \(00:\d\d\)\n", stream.getvalue())


def test_what_is_said_is_a_sign_of_life_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with displayed(terminal=False) as (display, stream), step("refit", 9):
        age(monkeypatch, progress.HEARTBEAT)
        say("a line")
        display.look()
        assert stream.getvalue() == ""
    assert capsys.readouterr().out == "a line\n"


def test_a_terminal_gets_a_bar_that_goes_when_all_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    with displayed(terminal=True) as (display, stream):
        with step("refit", 4, done=1, note=lambda: "best 0.241"), step("epoch", 15):
            display.look()
            assert stream.getvalue() == ""  # what is done at once needs no bar
            age(monkeypatch, progress.DELAY)
            display.look()
            *_, drawn = stream.getvalue().split("\r")
            assert re.match(r"refit 1/4 \|\S+ +\| best 0.241 · epoch 0/15 · 00:\d\d", drawn)
        assert stream.getvalue().split("\r")[-2].strip() == ""


def test_a_bar_without_a_total_is_a_count(monkeypatch: pytest.MonkeyPatch) -> None:
    with displayed(terminal=True) as (display, stream), step("a.csv: rows read") as advance:
        advance(12_000)
        age(monkeypatch, progress.DELAY)
        display.look()
        assert "a.csv: rows read 12,000 · 00:0" in stream.getvalue()


def test_a_command_looks_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "REFRESH", 0.01)
    monkeypatch.setattr(progress, "HEARTBEAT", 0.0)
    stream = io.StringIO()
    with shown(stream), step("refit", 3):
        deadline = time.monotonic() + 10
        while not stream.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
    assert stream.getvalue().startswith("refit 0/3 (")
