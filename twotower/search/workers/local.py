"""Trials in processes of this machine."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial

from twotower.common.errors import SearchError
from twotower.common.progress import Steps, watched
from twotower.search.proposals.pruners import Pruning
from twotower.search.run_trial import Evaluate, execute
from twotower.search.trial import Trial
from twotower.search.workers.epochs import Epochs, WorkersEpochs
from twotower.search.workers.workers import WorkerDiedError

if sys.platform == "linux":
    import fcntl

_objective: Evaluate | None = None
"""The objective of this worker process; loaded once, when the process starts."""
_load_failure = ""
"""Why it could not be loaded."""
_epochs = Steps()
"""Shows how far its trial has come."""


def can_fork(threads: int) -> bool:
    """Whether a process may be forked that trains: it has all libraries, and the data, at once.

    Not where a fork may hang or fail: outside Linux, with several threads of OpenMP, and once CUDA
    has been looked for.

    Args:
        threads: of a trial.
    """
    import torch

    return sys.platform == "linux" and threads == 1 and not torch.cuda.is_available()


class LocalWorkers:
    """Processes, each in a pool of its own, so that a death costs the trial it ran alone.

    A pool whose process has died is replaced. The processes end with their driver, even if that is
    killed.
    """

    # Not pebble's pool: its workers take tasks from one pipe under a shared lock, and one that is
    # killed while it holds that lock leaves the others waiting for a minute, and then broken.

    def __init__(
        self,
        load: Callable[[], Evaluate],
        count: int,
        epochs: WorkersEpochs | None = None,
        forked: Evaluate | None = None,
    ) -> None:
        """Start all processes at once, so that they are ready at about the same time.

        Args:
            load: loads the objective in a worker; pickled.
            count: number of processes.
            epochs: shows how far their trials have come; None: not shown.
            forked: the same objective, for processes that are forked from this one. Those that
                replace them, when this process has threads, start afresh and load it; None: all do.
        """
        self._load = load
        self._epochs: dict[ProcessPoolExecutor, Epochs | None] = {}
        shown = [epochs.add_worker() if epochs else None for _ in range(count)]
        self._idle = [self._new_pool(one, forked) for one in shown]
        self._pools = set(self._idle)
        self._lock = threading.Lock()
        self.count = count
        with warnings.catch_warnings():
            # Of threads: ours, and those of OpenBLAS, which it ends and begins around a fork.
            warnings.simplefilter("ignore", DeprecationWarning)
            for pool in self._idle:
                pool.submit(os.getpid)  # a pool starts its process with its first task

    def submit(self, trial: Trial, pruning: Pruning | None = None) -> "Future[Trial]":
        """Run the trial in an idle process.

        Raises:
            RuntimeError: if all are busy.
        """
        with self._lock:
            if not self._idle:
                msg = "all workers are busy"
                raise RuntimeError(msg)
            pool = self._idle.pop()
        outer: Future[Trial] = Future()
        outer.set_running_or_notify_cancel()
        try:
            inner = pool.submit(_run, trial, pruning)
        except BrokenProcessPool:  # it died while idle
            pool = self._replace(pool)
            inner = pool.submit(_run, trial, pruning)
        inner.add_done_callback(partial(self._finish, pool, outer))
        return outer

    def stop(self) -> None:
        """Kill all processes, busy or not."""
        with self._lock:
            pools, self._pools, self._idle = self._pools, set(), []
        for pool in pools:
            _kill(pool)

    def _finish(
        self, pool: ProcessPoolExecutor, outer: "Future[Trial]", inner: "Future[Trial]"
    ) -> None:
        error = inner.exception()
        if isinstance(error, BrokenProcessPool | MemoryError):
            # A process that ran out of memory may not give it back: replace it.
            pool = self._replace(pool)
            reason = "ran out of memory" if isinstance(error, MemoryError) else "died"
            error = WorkerDiedError(f"its worker {reason}")
        with self._lock:
            if pool in self._pools:
                self._idle.append(pool)
        if error is not None:
            outer.set_exception(error)
        else:
            outer.set_result(inner.result())

    def _replace(self, pool: ProcessPoolExecutor) -> ProcessPoolExecutor:
        _kill(pool)
        with self._lock:
            if pool not in self._pools:  # stopped meanwhile
                return pool
            self._pools.remove(pool)
            epochs = self._epochs.pop(pool)
            if epochs is not None:
                epochs.reset()
            fresh = self._new_pool(epochs)
            self._pools.add(fresh)
            return fresh

    def _new_pool(
        self, epochs: Epochs | None, forked: Evaluate | None = None
    ) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("fork" if forked else "spawn")
        load = (lambda: forked) if forked else self._load
        pool = ProcessPoolExecutor(1, context, initializer=_begin, initargs=(load, epochs))
        self._epochs[pool] = epochs
        return pool


def _begin(load: Callable[[], Evaluate], epochs: Epochs | None) -> None:
    """Prepare a worker process: watch its driver, then load the objective."""
    global _objective, _load_failure, _epochs  # noqa: PLW0603 - what a process keeps between tasks
    _epochs = epochs or Steps()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the driver, which ends us
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a driver that is forked listens to it
    sys.stderr = sys.__stderr__  # not the driver's, which writes above its bar
    _end_with_driver()
    try:
        _objective = load()
    except MemoryError:
        raise
    except Exception as error:  # an initializer that raises would look like a death
        _load_failure = f"a worker could not load the data: {error}"


def _end_with_driver() -> None:
    """Watch the driver; on Linux the kernel does too, and ends us even in code that holds the GIL.

    Not by PR_SET_PDEATHSIG, which tells of the end of the thread that has started us.
    """
    driver = multiprocessing.parent_process()
    if driver is None:
        return
    if sys.platform == "linux":
        sentinel = driver.sentinel
        fcntl.fcntl(sentinel, fcntl.F_SETOWN, os.getpid())
        flags = fcntl.fcntl(sentinel, fcntl.F_GETFL)
        fcntl.fcntl(sentinel, fcntl.F_SETFL, flags | os.O_ASYNC)  # SIGIO ends a process
    threading.Thread(target=_await_end, args=(driver.sentinel,), daemon=True).start()


def _await_end(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)


def _run(trial: Trial, pruning: Pruning | None) -> Trial:
    if _objective is None:
        raise SearchError(_load_failure)  # ends the search; no failed trial
    with watched(_epochs):
        return execute(trial, _objective, pruning)


def _kill(pool: ProcessPoolExecutor) -> None:
    # kill_workers() is public from Python 3.14 on.
    processes = list((pool._processes or {}).values())
    for process in processes:
        process.kill()
    pool.shutdown(wait=False, cancel_futures=True)
