"""Trials on the workers of a dask scheduler, on this machine or on others."""

import contextlib
import pickle
import queue
import threading
import time
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import distributed

from twotower.common.errors import SearchError
from twotower.config import Config
from twotower.search.proposals.pruners import Pruning
from twotower.search.run_trial import Evaluate
from twotower.search.store.locks import Say
from twotower.search.trial import Trial
from twotower.search.workers.dask_task import Parcel, run
from twotower.search.workers.worker_check import describe, differences
from twotower.search.workers.workers import WorkerDiedError

_POLL = 0.3
"""Seconds between two checks of which workers have joined or left."""
PATIENCE = 5.0
"""Seconds without a worker after which the user is informed."""
_SETTLE = 30.0
"""Seconds that a search waits, before its first trial, for workers that are joining."""


@dataclass(eq=False)
class _Slot:
    """A worker that runs trials.

    Attributes:
        address: of its process, unique as long as it lives.
        ready: whether it matches the study and has the objective.
    """

    address: str
    ready: bool = False


@dataclass
class _Pending:
    """A submitted trial, and the future of its result."""

    trial: Trial
    pruning: Pruning | None
    future: "Future[Trial]" = field(default_factory=Future)


class DaskWorkers:
    """Workers that may join and leave while a search runs; each runs one trial at a time.

    A watching thread starts a serving thread for each worker that joins. The serving thread checks
    the worker's code, libraries and CPU, refuses it if they differ from the study's, sends it the
    objective and then one trial after the other. We assign trials, not dask, because dask would
    run them again after a worker's death, and two at a time in one process.

    When the scheduler is lost, running trials are submitted again as soon as it is back with a
    worker; this does not count as a worker's death.
    """

    def __init__(
        self,
        client: "distributed.Client",
        objective: Evaluate,
        config: Config,
        limit: int,
        say: Say,
    ) -> None:
        """Start to look for workers.

        Args:
            client: of a scheduler.
            objective: sent once to each worker.
            config: `train.device`, `hpo.sampler` and `hpo.dask.wait` count.
            limit: largest number of workers to use.
            say: shows a line to the user.
        """
        self._client = client
        self._parcel = Parcel(objective)
        self._describe = partial(describe, config.hpo.sampler.type, config.train.device)
        self._study = self._describe()
        self._limit = limit
        self._wait = config.hpo.dask.wait
        self._say = say
        self._queue: queue.SimpleQueue[_Pending] = queue.SimpleQueue()
        self._slots: dict[str, _Slot] = {}
        self._refused: set[str] = set()
        self._present: set[str] = set()
        self._failure: SearchError | None = None
        self._stopping = threading.Event()
        threading.Thread(target=self._watch, daemon=True).start()

    @property
    def count(self) -> int:
        """Matching workers, at most `limit`; at least 1, as a trial may wait for a worker."""
        return max(1, sum(slot.ready for slot in list(self._slots.values())))

    def await_first(self) -> None:
        """Wait for a matching worker, and for those that are joining.

        Raises:
            SearchError: if there is none within `hpo.dask.wait` seconds.
        """
        started = time.monotonic()
        while self._failure is None:
            ready = [slot.ready for slot in list(self._slots.values())]
            if any(ready) and (all(ready) or time.monotonic() - started > _SETTLE):
                return
            time.sleep(_POLL / 3)
        raise self._failure

    def submit(self, trial: Trial, pruning: Pruning | None = None) -> "Future[Trial]":
        """Run the trial on the next idle worker."""
        pending = _Pending(trial, pruning)
        pending.future.set_running_or_notify_cancel()
        self._queue.put(pending)
        return pending.future

    def stop(self) -> None:
        """Hand out no more trials; those that still run finish on their worker and are lost."""
        self._stopping.set()
        with contextlib.suppress(Exception):  # the scheduler may be gone
            self._client.close(timeout=2)

    def _watch(self) -> None:
        """Track the workers until the search ends, or there has been none for too long."""
        last_seen = time.monotonic()  # a matching worker
        has_told = False
        while not self._stopping.wait(_POLL if self._slots else _POLL / 3):
            present = self._look()
            if present is not None:
                self._present = present
                self._refused &= present
                self._welcome(present - self._slots.keys() - self._refused)
                if any(slot.ready for slot in list(self._slots.values())):
                    last_seen, has_told = time.monotonic(), False
            absence = time.monotonic() - last_seen
            if absence > self._wait:
                self._give_up()
            elif absence > (_SETTLE if self._slots else PATIENCE) and not has_told:
                self._say(f"waiting up to {self._wait:g} s for a matching dask worker")
                has_told = True

    def _welcome(self, newcomers: set[str]) -> None:
        for address in sorted(newcomers):
            if len(self._slots) < self._limit:
                self._slots[address] = slot = _Slot(address)
                threading.Thread(target=self._serve, args=(slot,), daemon=True).start()

    def _look(self) -> set[str] | None:
        """Addresses of all workers; None while the scheduler does not answer."""
        if self._client.status != "running":
            return None
        try:
            return set(self._client.nthreads())
        except Exception:  # whatever dask raises while its scheduler goes away
            return None

    def _give_up(self) -> None:
        refused = f" ({len(self._refused)} refused)" if self._refused else ""
        self._failure = SearchError(
            f"no matching dask worker for {self._wait:g} s{refused}; finished trials are kept: "
            "start a scheduler and workers, then run this again (hpo.dask.wait sets the time limit)"
        )
        while not self._stopping.is_set():
            with contextlib.suppress(queue.Empty):
                self._queue.get(timeout=_POLL).future.set_exception(self._failure)

    def _serve(self, slot: _Slot) -> None:
        """Admit one worker, and send it trials until it leaves."""
        try:
            mismatch = self._mismatch(slot.address)
            if mismatch:
                self._refused.add(slot.address)
                self._say(f"dask worker {slot.address} is refused: {mismatch}")
                return
            objective = self._client.scatter(self._parcel, workers=[slot.address], hash=False)
            slot.ready = True
            while self._serves(slot, objective):
                with contextlib.suppress(queue.Empty):
                    self._run(self._queue.get(timeout=_POLL), objective, slot.address)
        except (Exception, CancelledError):  # it or the scheduler left, which the watch notices
            self._stopping.wait(_POLL)
        finally:
            self._slots.pop(slot.address, None)

    def _serves(self, slot: _Slot, objective: Any) -> bool:
        return (
            objective.status == "finished"
            and slot.address in self._present
            and not self._stopping.is_set()
        )

    def _mismatch(self, address: str) -> str:
        """Why the worker's trials would differ from the study's; empty if they would not."""
        future = self._client.submit(self._describe, workers=[address], pure=False)
        while not future.done():
            if address not in self._present or self._stopping.wait(_POLL / 10):
                raise CancelledError
        if future.status == "error":
            return " ".join(f"its environment is unknown ({future.exception()})".split())
        return differences(future.result(), self._study)

    def _run(self, pending: _Pending, objective: Any, address: str) -> None:
        """Run a trial on a worker, and set its future: the result, or the death of the worker."""
        future = None
        try:
            task = pickle.dumps((pending.trial, pending.pruning))
            future = self._client.submit(run, task, objective, workers=[address], pure=False)
            finished = self._result(future, address)
        except (MemoryError, distributed.KilledWorker, _WorkerLeft) as error:
            reason = "ran out of memory" if isinstance(error, MemoryError) else "died"
            pending.future.set_exception(WorkerDiedError(f"its worker {reason}"))
        except (Exception, CancelledError) as error:
            if future is not None and future.status == "error":  # a bug, here or there
                pending.future.set_exception(error)
            else:  # the scheduler was lost
                self._queue.put(pending)
        else:
            pending.future.set_result(finished)

    def _result(self, future: Any, address: str) -> Trial:
        """The result of the worker.

        Raises:
            _WorkerLeft: if it left or died before.
        """
        while True:
            try:
                finished: Trial = future.result(timeout=_POLL)
            except TimeoutError:
                if address not in self._present:
                    future.cancel()
                    raise _WorkerLeft from None
            except CancelledError as error:  # with the worker its copy of the objective is lost
                if getattr(error, "reason", "") == "scheduler-connection-lost":
                    raise
                raise _WorkerLeft from error
            else:
                return finished


class _WorkerLeft(Exception):  # noqa: N818 - leaving may be no error
    """A worker has left or died."""
