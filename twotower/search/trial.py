"""A trial of the search, from proposal to plot, and its form as an Optuna trial."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, cast

from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState
from pydantic import TypeAdapter

Params = dict[str, Any]
State = Literal["RUNNING", "COMPLETE", "PRUNED", "FAIL"]
Distributions = Mapping[str, BaseDistribution]

CONSTANT_TIME = datetime(2000, 1, 1, tzinfo=UTC)
"""When every trial of a snapshot began and ended, so that its bytes hold no clock."""


@dataclass(frozen=True)
class Trial:
    """A trial: what is tried and, once it has finished, what came of it.

    Attributes:
        number: from 0.
        state: RUNNING from its proposal until it has finished as COMPLETE, PRUNED or FAIL.
        params: searched hyperparameters by name; those whose condition does not hold are absent.
        value: of the objective; for a pruned trial the last one; None for a failed trial.
        metrics: of the validation split, after the last epoch that ran; empty for a failed trial.
        losses: mean training loss of each epoch.
        best_epoch: with `train.patience`, the epoch that value and metrics are of, from 1.
        intermediate: the objective after each epoch, from 1, where pruning asks for it.
        system_attrs: what sampler and pruner have noted about the trial (CMA-ES its generation,
            successive halving its rungs).
        failure: why the trial failed; None for a complete one.
        provenance: digest of the code, libraries and CPU that made it.
        started: milliseconds since 1970, UTC; never in a tracked file.
        finished: likewise.
    """

    number: int
    state: State
    params: Params
    provenance: str
    value: float | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)
    best_epoch: int | None = None
    intermediate: dict[int, float] = field(default_factory=dict)
    system_attrs: dict[str, Any] = field(default_factory=dict)
    failure: str | None = None
    started: int = 0
    finished: int = 0

    def to_json(self) -> dict[str, Any]:
        """Plain values, for `from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Trial":
        """The record that `to_json` was called on.

        Raises:
            ValueError: if the values are not those of a record.
        """
        return TypeAdapter(cls).validate_python(values)

    def without_times(self) -> "Trial":
        """The record as it goes into a snapshot."""
        return replace(self, started=0, finished=0)

    def to_optuna(self, distributions: Distributions) -> FrozenTrial:
        """The trial as Optuna stores it; without times it began and ended at CONSTANT_TIME.

        Args:
            distributions: of all parameters of the space; the trial need not have each of them.
        """
        return FrozenTrial(
            number=self.number,
            trial_id=self.number,
            state=TrialState[self.state],
            value=self.value,
            datetime_start=_datetime(self.started),
            datetime_complete=_datetime(self.finished),
            params=dict(sorted(self.params.items())),
            distributions={name: distributions[name] for name in sorted(self.params)},
            user_attrs={
                "metrics": dict(sorted(self.metrics.items())),  # their order is in the bytes
                "losses": self.losses,
                "best_epoch": self.best_epoch,
                "failure": self.failure,
                "provenance": self.provenance,
            },
            system_attrs=dict(sorted(self.system_attrs.items())),
            intermediate_values=dict(sorted(self.intermediate.items())),
        )

    @classmethod
    def from_optuna(cls, trial: FrozenTrial) -> "Trial":
        """The record that `to_optuna` was called on."""
        return cls(
            number=trial.number,
            state=cast(State, trial.state.name),
            params=trial.params,
            value=trial.value,
            intermediate=trial.intermediate_values,
            system_attrs=trial.system_attrs,
            started=_milliseconds(trial.datetime_start),
            finished=_milliseconds(trial.datetime_complete),
            **trial.user_attrs,
        )


def complete_by_value(records: "list[Trial]") -> "list[Trial]":
    """Complete trials, the highest value first; of equal ones the lower number."""
    complete = [record for record in records if record.state == "COMPLETE"]
    return sorted(complete, key=lambda record: (-(record.value or 0.0), record.number))


def best(records: "list[Trial]") -> Trial | None:
    """The complete trial of the highest value; of equal ones the first."""
    return next(iter(complete_by_value(records)), None)


def _datetime(milliseconds: int) -> datetime:
    """The moment as Optuna wants it: local and naive; it stores UTC."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else CONSTANT_TIME
    return moment.astimezone().replace(tzinfo=None)


def _milliseconds(moment: datetime | None) -> int:
    if moment is None or moment.astimezone(UTC) == CONSTANT_TIME:
        return 0
    return round(moment.timestamp() * 1000)
