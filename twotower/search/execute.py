"""One trial, from its hyperparameters to its record; runs in whatever process is told to."""

import math
import sys
import time
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from twotower.common.errors import TwoTowerError
from twotower.common.files import round_float
from twotower.search.objective import Outcome, Report
from twotower.search.proposals.pruners import EpochWatch, Pruning
from twotower.search.trial import Params, State, Trial


class Evaluate(Protocol):
    """What gives hyperparameters their value; asked to report only where a pruner decides."""

    def __call__(
        self, params: Params, report: Report | None = None, seed: int | None = None, /
    ) -> Outcome:
        """The worth of a training run; without a seed, with that of params.yaml."""


@dataclass(frozen=True)
class TrialTask:
    """All that a worker is told about a trial.

    Attributes:
        number: from 0.
        params: hyperparameters by name.
        system_attrs: what the sampler has noted about the trial.
        metric: name of the objective.
        provenance: digest that the record will carry.
        pruning: what decides whether it is stopped early; None: it runs to its end.
        seed: a fresh one; None: that of params.yaml.
    """

    number: int
    params: Params
    system_attrs: Mapping[str, Any]
    metric: str
    provenance: str
    pruning: Pruning | None = None
    seed: int | None = None

    @property
    def key(self) -> tuple[int, int | None]:
        """What tells it from other tasks of the same search."""
        return self.number, self.seed


def execute(task: TrialTask, objective: Evaluate) -> Trial:
    """Run a trial; an error of the objective makes it a failed one.

    Raises:
        MemoryError: as it says nothing about the hyperparameters, it fails no trial.
    """
    started = now()
    outcome, failure = None, None
    watch = EpochWatch(task.number, task.pruning) if task.pruning else None
    try:
        outcome = _run(task, objective, watch)
        failure = _not_a_number(outcome, task.metric)
    except MemoryError:
        raise
    except TwoTowerError as error:
        failure = str(error)
    except RuntimeError as error:
        if _is_out_of_memory(error):
            raise MemoryError from error
        failure = _bug(error)
    except Exception as error:  # a bug in one corner of the space; the rest is still worth trying
        failure = _bug(error)
    if failure is not None:
        outcome = None
    return Trial(
        number=task.number,
        state=_state(outcome),
        params=task.params,
        provenance=task.provenance,
        value=round_float(outcome.metrics[task.metric]) if outcome else None,
        metrics=outcome.metrics if outcome else {},
        losses=outcome.losses if outcome else [],
        best_epoch=outcome.best_epoch if outcome else None,
        intermediate=watch.intermediate if watch else {},
        system_attrs={**task.system_attrs, **(watch.rungs if watch else {})},
        failure=failure,
        started=started,
        finished=now(),
    )


def _run(task: TrialTask, objective: Evaluate, watch: EpochWatch | None) -> Outcome:
    if task.seed is not None:
        return objective(task.params, watch, task.seed)
    return objective(task.params, watch) if watch else objective(task.params)


def _not_a_number(outcome: Outcome, metric: str) -> str | None:
    value = outcome.metrics[metric]
    return None if math.isfinite(value) else f"{metric} is {value}"


def _is_out_of_memory(error: RuntimeError) -> bool:
    """Torch has its own exception for a GPU, and none for the CPU's allocator."""
    import torch

    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _bug(error: Exception) -> str:
    """The reason of the failed trial; the traceback is for the terminal."""
    traceback.print_exc(file=sys.stderr)
    return f"{type(error).__name__}: {error}"


def _state(outcome: Outcome | None) -> State:
    if outcome is None:
        return "FAIL"
    return "PRUNED" if outcome.stopped else "COMPLETE"


def given_up(task: TrialTask, reason: str) -> Trial:
    """The failed trial that stands for one whose worker died every time."""
    moment = now()
    return Trial(
        number=task.number,
        state="FAIL",
        params=task.params,
        provenance=task.provenance,
        system_attrs=dict(task.system_attrs),
        failure=reason,
        started=moment,
        finished=moment,
    )


def now() -> int:
    """Milliseconds since 1970, UTC."""
    return round(time.time() * 1000)
