"""What one case may take: ten seconds, and a gigabyte more than the process had."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SECONDS = 10.0
BYTES = 1 << 30


class TooSlowError(AssertionError):
    """A case took longer than it may."""


@contextmanager
def limited(seconds: float = SECONDS, memory: int = BYTES) -> Iterator[None]:
    """End what is done inside when it takes too long (at once only on POSIX, in the main thread).

    Args:
        seconds: that it may take.
        memory: bytes that it may take; more end in a MemoryError. Only on Linux.

    Raises:
        TooSlowError: also if it was not stopped, but ended late.
    """
    began = time.perf_counter()
    with _alarm(seconds), _ceiling(memory):
        yield
    if time.perf_counter() - began > seconds:
        raise _too_slow(seconds)


def _too_slow(seconds: float) -> TooSlowError:
    return TooSlowError(f"took more than {seconds:g} s")


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    if sys.platform == "win32":
        yield
        return

    def ring(_number: int, _frame: object) -> None:
        raise _too_slow(seconds)

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def _ceiling(memory: int) -> Iterator[None]:
    if sys.platform != "linux":
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5])
    resource.setrlimit(resource.RLIMIT_DATA, (pages * resource.getpagesize() + memory, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
