"""Runs one trial to its end, in whatever process it is called in."""

import math
import sys
import time
import traceback
from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from twotower.common.errors import TwoTowerError
from twotower.common.files import round_float
from twotower.search.proposals.pruners import EpochWatch, Pruning
from twotower.search.trial import Trial

if TYPE_CHECKING:
    from twotower.search.objective import Report  # it imports torch


class Evaluate(Protocol):
    """Trains and scores a trial; see `Objective`."""

    def __call__(self, trial: Trial, report: "Report | None" = None, /) -> Trial:
        """The trial, complete or pruned, with its value; reports epochs only to a pruner."""


def execute(trial: Trial, objective: Evaluate, pruning: Pruning | None = None) -> Trial:
    """Run a trial; an error of the objective makes it a failed one.

    Args:
        trial: RUNNING.
        objective: gives it its value.
        pruning: decides whether it is stopped early; None: it runs to its end.

    Raises:
        MemoryError: as it says nothing about the hyperparameters, it fails no trial.
    """
    started = now()
    watch = EpochWatch(trial.number, pruning) if pruning else None
    try:
        finished = _with_value(objective(trial, watch))
    except MemoryError:
        raise
    except TwoTowerError as error:
        finished = replace(trial, state="FAIL", failure=str(error))
    except Exception as error:  # a bug in one corner of the space; the rest is still worth trying
        if _is_out_of_memory(error):
            raise MemoryError from error
        traceback.print_exc(file=sys.stderr)
        finished = replace(trial, state="FAIL", failure=f"{type(error).__name__}: {error}")
    return replace(
        finished,
        intermediate=watch.intermediate if watch else {},
        system_attrs={**trial.system_attrs, **(watch.rungs if watch else {})},
        started=started,
        finished=now(),
    )


def _with_value(trial: Trial) -> Trial:
    """The trial with its values rounded; failed, if one is not a finite number."""
    for value in (trial.value, *trial.further):
        if value is None or not math.isfinite(value):
            reason = f"the objective is {value}"
            return replace(trial.as_proposed(), state="FAIL", failure=reason)
    value, *further = map(round_float, trial.values)
    return replace(trial, value=value, further=further)


def _is_out_of_memory(error: Exception) -> bool:
    """Torch has its own exception for a GPU, and none for the CPU's allocator."""
    import torch

    if not isinstance(error, RuntimeError):
        return False
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def given_up(trial: Trial, reason: str) -> Trial:
    """The failed trial that stands for one whose worker died every time."""
    moment = now()
    return replace(trial, state="FAIL", failure=reason, started=moment, finished=moment)


def now() -> int:
    """Milliseconds since 1970, UTC."""
    return round(time.time() * 1000)
