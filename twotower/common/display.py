"""Shows the steps of a command: a bar where stderr is a terminal, else a line now and then."""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr
from typing import Any, TextIO, cast

from tqdm import tqdm
from tqdm.contrib import DummyTqdmFile

from twotower.common.progress import Step, Steps, watched

DELAY = 1.0
"""Seconds before a bar appears: what is done sooner needs none."""
REFRESH = 0.5
"""Seconds between two looks at the steps."""
NARROW = 80
"""Columns of a terminal that does not say how many it has."""
WIDEST = 16
"""Columns of a bar, where there is room."""
HEARTBEAT = 30.0
"""Seconds of silence after which a line is written where there is no terminal."""


class Display(Steps):
    """Shows the steps on a terminal, or in a log."""

    def __init__(self, stream: TextIO, *, terminal: bool) -> None:
        """Prepare to show steps; nothing is written before the first `look`.

        Args:
            stream: where they are shown.
            terminal: whether it can be written over; else whole lines are written, and few.
        """
        super().__init__()
        tqdm.set_lock(threading.RLock())  # its own is half made if Ctrl-C comes in between
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
            self._bar.delay = (
                0  # keeps an empty bar from being drawn, but also one from being removed
            )
        self._bar.total, self._bar.n = first.total, first.done
        self._bar.note = " · ".join([*_said(steps), tqdm.format_interval(now - first.started)])
        self._bar.set_description_str(first.count())


def _said(steps: list[Step]) -> list[str]:
    """What there is to say besides the count of the outermost step."""
    first, *inner = steps
    texts = [first.note(), *(text for one in inner for text in (one.count(), one.note()))]
    return [text for text in texts if text]


class _Bar(tqdm):  # type: ignore[type-arg]
    """Whose line ends with whatever there is to say, with a bar where there is room for one."""

    note = ""

    @property
    def format_dict(self) -> dict[str, Any]:
        """What tqdm draws the line from."""
        known = super().format_dict
        room = (known["ncols"] or NARROW) - len(f"{self.desc} || {self.note}")
        bar = f" |{{bar:{min(room, WIDEST)}}}| " if self.total and room >= 5 else " · "
        return {**known, "bar_format": f"{{desc}}{bar}{{note}}", "note": self.note}


@contextmanager
def shown(stream: TextIO | None = None) -> Iterator[Display]:
    """Show what is done inside, as a command does; what libraries say is above the bar.

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
        with watched(display), ExitStack() as redirected:
            if terminal:
                above = cast(TextIO, DummyTqdmFile(stream))
                redirected.enter_context(redirect_stderr(above))
            yield display
    finally:
        stop.set()
        looking.join()
        display.clear()
