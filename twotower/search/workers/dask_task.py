"""What a dask worker receives, and what it runs.

Imports nothing heavy: the scheduler unpickles a task before its worker does.
"""

import pickle
import threading
from functools import cache
from typing import Any, Literal

_one_at_a_time = threading.Lock()
"""Trials set torch's threads for their process, which may serve other searches as well."""
_describing = threading.Lock()
"""Python 3.11 fails when two threads parse at the same time."""


class Parcel:
    """Content that is pickled once, however often it is sent, and arrives unpickled."""

    def __init__(self, content: Any) -> None:
        self._bytes = pickle.dumps(content)

    def __reduce__(self) -> tuple[Any, ...]:
        return pickle.loads, (self._bytes,)


def describe(sampler: str, device: Literal["auto", "cpu", "cuda"]) -> dict[str, str]:
    """The environment of a worker's trials.

    Args:
        sampler: `hpo.sampler.type`.
        device: `train.device`.
    """
    from twotower.search.identity import provenance
    from twotower.training.device import resolve_device

    with _describing:
        code = {"code": _loaded_code()}
        return {**provenance(sampler).values, **code, "device": resolve_device(device)}


@cache
def _loaded_code() -> str:
    """Digest of the code in the memory of this process; the files may change later."""
    import twotower.search.execute  # noqa: F401 - loads the code of the digest
    from twotower.search.identity import provenance

    return str(provenance().values["code"])


def differences(worker: dict[str, str], study: dict[str, str]) -> str:
    """How a worker differs from the machine of the study, in a line; empty if it does not."""
    return "; ".join(
        f"{name} is {worker.get(name, 'unknown')[:40]}, not {value[:40]} as in the study"
        for name, value in study.items()
        if worker.get(name) != value
    )


def run(pickled_task: bytes, objective: Any) -> Any:
    """Run a trial in the worker's process, as soon as no other trial runs in it.

    Args:
        pickled_task: a running Trial and its Pruning.
        objective: sent to the worker when it joined.
    """
    from twotower.search.execute import execute

    with _one_at_a_time:
        trial, pruning = pickle.loads(pickled_task)  # noqa: S301 - from our own driver
        return execute(trial, objective, pruning)
