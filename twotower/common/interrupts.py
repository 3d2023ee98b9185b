"""How a command ends that is told to: by Ctrl-C, by SIGTERM, or by the death of its DVC."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType

INTERRUPTED = "interrupted; what is finished is kept"
POLL = 0.3
"""Seconds between two looks at whether DVC still runs."""
GRACE = 2.0
"""Seconds that a stage without its DVC gets to tidy up; whatever it writes is whole or absent."""


class Terminated(KeyboardInterrupt):
    """SIGTERM: as Ctrl-C, but for the exit status."""

    status = 128 + 15


def quiet_start() -> None:
    """Have Ctrl-C end what is still being imported with one line, not with a traceback.

    For the first lines of a command; later, `one_line_errors` does that.
    """
    usual = sys.excepthook

    def hook(
        kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        if not issubclass(kind, KeyboardInterrupt):
            usual(kind, error, traceback)
            return
        print(INTERRUPTED, file=sys.stderr, flush=True)  # noqa: T201 - a command's own output
        os._exit(130)  # Python would end with another status

    sys.excepthook = hook


@contextmanager
def listening() -> Iterator[None]:
    """Inside, a stage ends in good order on SIGTERM, and when the DVC that has started it dies.

    DVC, killed, leaves its stage running, which would write the outputs of old parameters while
    the next run has new ones. Windows has neither.
    """
    if os.name != "posix" or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _terminate)
    if "DVC_STAGE" in os.environ:  # else it may go on without the shell that has started it
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    raise Terminated


def _end_with(parent: int) -> None:
    """End this process once it has another parent."""
    never = threading.Event()
    while os.getppid() == parent:
        never.wait(POLL)
    os.kill(os.getpid(), signal.SIGTERM)
    never.wait(GRACE)
    os._exit(Terminated.status)  # it is in code that does not listen
