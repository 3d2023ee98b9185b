"""Whether a worker computes what the study's machine computes: its code, libraries, CPU and device.

Imports nothing heavy: the scheduler unpickles a task before its worker does.
"""

import threading
from typing import Literal

PINNED = "; start it with twotower portable dask worker …"
"""What to do if the study is of portable: true, and the worker is not pinned."""

_describing = threading.Lock()
"""Python 3.11 fails when two threads parse at the same time."""


def describe(sampler: str, device: Literal["auto", "cpu", "cuda"]) -> dict[str, str]:
    """The environment of a worker's trials.

    Args:
        sampler: `hpo.sampler.type`.
        device: `train.device`.
    """
    from twotower.search.identity import provenance
    from twotower.training.device import resolve_device

    with _describing:
        import twotower.search.run_trial  # noqa: F401 - loads the code of the digest

        return {**provenance(sampler, device).values, "device": resolve_device(device)}


def differences(worker: dict[str, str], study: dict[str, str]) -> str:
    """How a worker differs from the machine of the study, in a line; empty if it does not."""
    said = "; ".join(
        f"{name} is {worker.get(name, 'unknown')[:40]}, not {value[:40]} as in the study"
        for name, value in study.items()
        if worker.get(name) != value
    )
    is_pinned = [values.get("platform", "").endswith(" portable") for values in (worker, study)]
    return said + (PINNED if is_pinned == [False, True] else "")
