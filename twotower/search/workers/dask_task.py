"""What a dask worker receives, and what it runs.

Imports nothing heavy: the scheduler unpickles a task before its worker does.
"""

import pickle
import threading
from typing import Any

_one_at_a_time = threading.Lock()
"""Trials set torch's threads for their process, which may serve other searches as well."""


class Parcel:
    """Content that is pickled once, however often it is sent, and arrives unpickled."""

    def __init__(self, content: Any) -> None:
        self._bytes = pickle.dumps(content)

    def __reduce__(self) -> tuple[Any, ...]:
        return pickle.loads, (self._bytes,)


def run(pickled_task: bytes, objective: Any) -> Any:
    """Run a trial in the worker's process, as soon as no other trial runs in it.

    Args:
        pickled_task: a running Trial and its Pruning.
        objective: sent to the worker when it joined.
    """
    from twotower.search.run_trial import execute

    with _one_at_a_time:
        trial, pruning = pickle.loads(pickled_task)  # noqa: S301 - from our own driver
        return execute(trial, objective, pruning)
