"""What a long run shows of where it is; nothing of it reaches a result.

Code that may take long names its steps, and need not know who watches:

    for epoch in track(range(1, 16), "epoch"): …
    with step("refit", total=2):
        with part("model"): …      # one of the two

A command shows them (`common/display.py`). In a library or a server, nothing is shown.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TypeVar

from twotower.common.printable import printable_lines
from twotower.common.secrets import mask_credentials

T = TypeVar("T")


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

    def say(self, line: str) -> None:
        """Print a line."""
        print(line, flush=True)  # noqa: T201 - a command's own output


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
    items: Iterable[T],
    name: str,
    total: int | None = None,
    size: Callable[[T], int] = lambda _: 1,
    *,
    rate: bool = False,
) -> Iterator[T]:
    """The items, counted when the next one is asked for.

    Args:
        items: of a loop.
        name: what is counted.
        total: how many there are; None: their number, if it is known and each counts once.
        size: how many an item stands for.
        rate: whether to show how many there are a second.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    started, done = time.monotonic(), 0

    def note() -> str:
        seconds = time.monotonic() - started
        return f"{done / seconds:,.0f} a second" if rate and done and seconds else ""

    with step(name, total, note=note) as advance:
        for item in items:
            yield item
            done += (count := size(item))
            advance(count)


def say(line: str) -> None:
    """Print a line, above the bar, if there is one: without secrets, nor what a terminal obeys."""
    (_watching.get() or Steps()).say(printable_lines(mask_credentials(line)))
