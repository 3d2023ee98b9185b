"""Lets the driver see how far the trials of its local workers have come."""

import multiprocessing

from twotower.common.progress import Step, Steps

SHOWN = 4
"""Number of trials whose epochs are shown."""


class Epochs(Steps):
    """The innermost count of the steps of another process; passed to it when it starts.

    Two numbers in shared memory without a lock, which a process that is killed could keep.
    """

    def __init__(self) -> None:
        super().__init__()
        self._numbers = multiprocessing.get_context("spawn").RawArray("q", 2)

    def changed(self) -> None:
        """Publish the innermost count."""
        counted = [one for one in self._open if one.name == "epoch"]
        self._numbers[:] = (counted[-1].done, counted[-1].total or 0) if counted else (0, 0)

    def reset(self) -> None:
        """Forget the count of a process that has died."""
        self._numbers[:] = (0, 0)

    def read(self) -> tuple[int, int] | None:
        """How many are done, and of how many; None where nothing is counted."""
        done, total = self._numbers[:]
        return (done, total) if total else None


class WorkersEpochs:
    """The epochs of all local workers."""

    def __init__(self) -> None:
        self._workers: list[Epochs] = []

    def add_worker(self) -> Epochs:
        """What a worker counts in."""
        self._workers.append(Epochs())
        return self._workers[-1]

    def text(self) -> str:
        """`epoch 4/15`, `epochs 4/15, 2/10`; empty where nothing is counted."""
        counts = [count for worker in self._workers if (count := worker.read())]
        if len(counts) == 1:
            return Step("epoch", counts[0][1], counts[0][0]).count()
        texts = [f"{done}/{total}" for done, total in counts[:SHOWN]]
        more = ["…"] * (len(counts) > SHOWN)
        return f"epochs {', '.join(texts + more)}" if texts else ""
