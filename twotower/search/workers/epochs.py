"""Lets the driver see how far the trial of its only worker has come."""

import multiprocessing

from twotower.common.progress import Step, Steps


class Epochs(Steps):
    """The innermost count of the steps of another process; passed to it when it starts.

    Two numbers in shared memory without a lock, which a process that is killed could keep.
    """

    def __init__(self) -> None:
        super().__init__()
        self._numbers = multiprocessing.get_context("spawn").RawArray("q", 2)

    def changed(self) -> None:
        """Publish the innermost count."""
        counted = [one for one in self._open if one.total is not None]
        self._numbers[:] = (counted[-1].done, counted[-1].total or 0) if counted else (0, 0)

    def text(self) -> str:
        """`epoch 4/15`; empty where nothing is counted."""
        done, total = self._numbers[:]
        return Step("epoch", total, done).count() if total else ""
