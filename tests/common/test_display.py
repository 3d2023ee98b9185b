"""What a terminal and a log show of the steps of a command."""

import io
import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from twotower.common import display as module
from twotower.common.display import Display, shown
from twotower.common.progress import part, say, step, watched


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
    monkeypatch.setattr(module.time, "monotonic", lambda: now)


def test_a_log_gets_a_line_after_a_while_of_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    with displayed(terminal=False) as (display, stream), step("refit", 9), part("ease"):
        display.look()
        assert stream.getvalue() == ""
        age(monkeypatch, module.HEARTBEAT)
        display.look()
        display.look()
        assert re.fullmatch(r"refit 0/9, ease \(00:\d\d\)\n", stream.getvalue())


def test_what_is_said_is_a_sign_of_life_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with displayed(terminal=False) as (display, stream), step("refit", 9):
        age(monkeypatch, module.HEARTBEAT)
        say("a line")
        display.look()
        assert stream.getvalue() == ""
    assert capsys.readouterr().out == "a line\n"


def test_a_terminal_gets_a_bar_that_goes_when_all_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    with displayed(terminal=True) as (display, stream):
        with step("refit", 4, done=1, note=lambda: "best 0.241"), step("epoch", 15):
            display.look()
            assert stream.getvalue() == ""  # what is done at once needs no bar
            age(monkeypatch, module.DELAY)
            display.look()
            *_, drawn = stream.getvalue().split("\r")
            assert re.match(r"refit 1/4 \|\S+ +\| best 0.241 · epoch 0/15 · 00:\d\d", drawn)
        *_, last, cleared, after = stream.getvalue().split("\r")
        assert (last, cleared.isspace(), after) == (drawn, True, "")


def test_a_bar_without_a_total_is_a_count(monkeypatch: pytest.MonkeyPatch) -> None:
    with displayed(terminal=True) as (display, stream), step("a.csv: rows read") as advance:
        advance(12_000)
        age(monkeypatch, module.DELAY)
        display.look()
        assert "a.csv: rows read 12,000 · 00:0" in stream.getvalue()


def test_a_command_looks_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REFRESH", 0.01)
    monkeypatch.setattr(module, "HEARTBEAT", 0.0)
    stream = io.StringIO()
    with shown(stream), step("refit", 3):
        deadline = time.monotonic() + 10
        while not stream.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
    assert stream.getvalue().startswith("refit 0/3 (")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_what_a_library_says_is_above_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REFRESH", 0.01)
    monkeypatch.setattr(module, "DELAY", 0.0)
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with shown(stream), step("refit", 3):
        deadline = time.monotonic() + 10
        while "refit 0/3" not in stream.getvalue() and time.monotonic() < deadline:
            time.sleep(0.01)
        sys.stderr.write("version 1 ")
        sys.stderr.write("is created\n")
    assert re.search(
        r"refit 0/3[^\n\r]*\r +\rversion 1 is created\n\r?refit 0/3", stream.getvalue()
    )


@pytest.mark.parametrize(
    ("columns", "drawn"),
    [
        (100, r"trials 1/4 \|.{16}\| best 0.241 · 00:\d\d"),
        (44, r"trials 1/4 \|.{12}\| best 0.241 · 00:\d\d"),
        (34, r"trials 1/4 · best 0.241 · 00:\d\d"),
        (20, r"trials 1/4 · best 0."),
    ],
)
def test_a_narrow_terminal_has_no_room_for_a_bar(
    columns: int, drawn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    termios = pytest.importorskip("termios")
    reader, writer = os.openpty()
    termios.tcsetwinsize(writer, (24, columns + 1))  # the last one makes some terminals scroll
    display = Display(os.fdopen(writer, "w", encoding="utf-8"), terminal=True)
    with watched(display), step("trials", 4, done=1, note=lambda: "best 0.241"):
        age(monkeypatch, module.DELAY)
        display.look()
        line = os.read(reader, 1000).decode()
    display._stream.close()
    os.close(reader)
    assert re.fullmatch(drawn, line.strip())
