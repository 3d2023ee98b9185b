"""What a long run shows of where it is; nothing of it reaches a result.

Code that may take long names its steps, and need not know who watches:

    for epoch in track(range(1, 16), "epoch"): …
    with step("refit", total=2):
        with part("model"): …      # one of the two

They go to the display that a command has switched on with `shown`: a bar where stderr is a
terminal, else a line now and then. Without one, as in a library or a server, nothing is shown.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TextIO, TypeVar

from tqdm import tqdm

T = TypeVar("T")

DELAY = 1.0
"""Seconds before a bar appears: what is done sooner needs none."""
REFRESH = 0.5
"""Seconds between two looks at the steps."""
HEARTBEAT = 30.0
"""Seconds of silence after which a line is written where there is no terminal."""


@dataclass
class Step:
    """Something that takes a while.

    Attributes:
        name: what is being done, or counted.
        total: how many there are; None: not known.
        done: how many of them are.
        note: more to say of it, at any moment.
        started: seconds, on the monotonic clock.
    """

    name: str
    total: int | None = None
    done: int = 0
    note: Callable[[], str] = lambda: ""
    started: float = field(default_factory=time.monotonic)

    def count(self) -> str:
        """`epoch 4/15`, `rows read 12,000`, `decomposition`."""
        if self.total is not None:
            return f"{self.name} {self.done:,}/{self.total:,}"
        return f"{self.name} {self.done:,}" if self.done else self.name


class Steps:
    """The steps that are under way, each inside the one before."""

    def __init__(self) -> None:
        self._open: list[Step] = []

    def begin(self, one: Step) -> Step:
        """Add a step inside the innermost one."""
        self._open.append(one)
        self.changed()
        return one

    def advance(self, one: Step, count: int = 1) -> None:
        """Count what has been done."""
        one.done += count
        self.changed()

    def end(self, one: Step) -> None:
        """Take out a step, and those inside it that an error has left there."""
        if any(other is one for other in self._open):
            while self._open.pop() is not one:
                pass
            self.changed()

    def around(self, one: Step) -> Step | None:
        """The step in which this one is."""
        place = next(n for n, other in enumerate(self._open) if other is one)
        return self._open[place - 1] if place else None

    def changed(self) -> None:
        """Called after every change."""


class Display(Steps):
    """Shows the steps on a terminal, or in a log."""

    def __init__(self, stream: TextIO, *, terminal: bool) -> None:
        """Prepare to show steps; nothing is written before the first `look`.

        Args:
            stream: where they are shown.
            terminal: whether it can be written over; else whole lines are written, and few.
        """
        super().__init__()
        self._stream = stream
        self._terminal = terminal
        self._bar: _Bar | None = None
        self._written = time.monotonic()
        self._lock = threading.RLock()

    def end(self, one: Step) -> None:
        """Take out a step; the bar goes with the outermost one."""
        super().end(one)
        if not self._open:
            self.clear()

    def say(self, line: str) -> None:
        """Print a line, above the bar."""
        with self._lock:
            tqdm.write(line, file=sys.stdout)
            sys.stdout.flush()  # or a log shows it minutes later
            self._written = time.monotonic()

    def look(self) -> None:
        """Show the steps as they are now."""
        with self._lock:
            now, steps = time.monotonic(), list(self._open)
            if not steps:
                return
            if not self._terminal:
                if now - max(self._written, steps[0].started) >= HEARTBEAT:
                    self._write(steps, now)
            elif now - steps[0].started >= DELAY:
                self._draw(steps, now)

    def clear(self) -> None:
        """Remove the bar."""
        with self._lock:
            if self._bar is not None:
                self._bar.close()
                self._bar = None

    def _write(self, steps: list[Step], now: float) -> None:
        self._written = now
        elapsed = tqdm.format_interval(now - steps[0].started)
        line = ", ".join([steps[0].count(), *_said(steps)])
        print(f"{line} ({elapsed})", file=self._stream, flush=True)

    def _draw(self, steps: list[Step], now: float) -> None:
        first = steps[0]
        if self._bar is None:
            self._bar = _Bar(file=self._stream, leave=False, dynamic_ncols=True, delay=DELAY)
        self._bar.bar_format = _Bar.COUNT if first.total is None else _Bar.SHARE
        self._bar.total, self._bar.n = first.total, first.done
        self._bar.note = " · ".join([*_said(steps), tqdm.format_interval(now - first.started)])
        self._bar.set_description_str(first.count())


def _said(steps: list[Step]) -> list[str]:
    """What there is to say besides the count of the outermost step."""
    first, *inner = steps
    texts = [first.note(), *(text for one in inner for text in (one.count(), one.note()))]
    return [text for text in texts if text]


class _Bar(tqdm):  # type: ignore[type-arg]
    """Whose line ends with whatever there is to say."""

    SHARE = "{desc} |{bar:16}| {note}"
    COUNT = "{desc} · {note}"
    note = ""

    @property
    def format_dict(self) -> dict[str, Any]:
        """What a bar's format may name."""
        return {**super().format_dict, "note": self.note}


_watching: ContextVar[Steps | None] = ContextVar("watching", default=None)


@contextmanager
def watched(steps: Steps) -> Iterator[None]:
    """Let these steps know of what is done inside."""
    token = _watching.set(steps)
    try:
        yield
    finally:
        _watching.reset(token)


@contextmanager
def shown(stream: TextIO | None = None) -> Iterator[Display]:
    """Show what is done inside, as a command does.

    Args:
        stream: None: stderr.
    """
    stream = stream or sys.stderr
    terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
    display, stop = Display(stream, terminal=terminal), threading.Event()

    def keep_looking() -> None:
        while not stop.wait(REFRESH):
            display.look()

    looking = threading.Thread(target=keep_looking, daemon=True)
    looking.start()
    try:
        with watched(display):
            yield display
    finally:
        stop.set()
        looking.join()
        display.clear()


@contextmanager
def step(
    name: str, total: int | None = None, done: int = 0, note: Callable[[], str] = lambda: ""
) -> Iterator[Callable[[int], None]]:
    """Show that something is under way; the value counts what is done of `total`."""
    steps, one = _watching.get() or Steps(), Step(name, total, done, note)
    steps.begin(one)
    try:
        yield lambda count: steps.advance(one, count)
    finally:
        steps.end(one)


@contextmanager
def part(name: str) -> Iterator[None]:
    """Show that one of the parts of the step around is under way; it counts there once it ends."""
    steps, one = _watching.get() or Steps(), Step(name)
    outer = steps.begin(one) and steps.around(one)
    try:
        yield
    finally:
        steps.end(one)
        if outer is not None:
            steps.advance(outer)


def track(
    items: Iterable[T], name: str, total: int | None = None, size: Callable[[T], int] = lambda _: 1
) -> Iterator[T]:
    """The items, counted when the next one is asked for.

    Args:
        items: of a loop.
        name: what is counted.
        total: how many there are; None: their number, if it is known and each counts once.
        size: how many an item stands for.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    with step(name, total) as advance:
        for item in items:
            yield item
            advance(size(item))


def say(line: str) -> None:
    """Print a line; above the bar, if there is one."""
    steps = _watching.get()
    if isinstance(steps, Display):
        steps.say(line)
    else:
        print(line, flush=True)  # noqa: T201 - a command's own output
