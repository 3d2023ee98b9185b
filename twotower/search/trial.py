"""One trial of a search, from its proposal to its plot, and its form as an Optuna trial."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, cast

import optuna
from optuna.distributions import BaseDistribution, json_to_distribution
from optuna.trial import FrozenTrial, TrialState
from pydantic import TypeAdapter

from twotower.config.ranges import Spaces

optuna.logging.set_verbosity(optuna.logging.ERROR)

RESULTS_VERSION = 2
"""Format of hpo_results.json; version 1 had neither this number nor the trials."""

Params = dict[str, Any]
Key = tuple[int, int | None, float | None]
State = Literal["RUNNING", "COMPLETE", "PRUNED", "FAIL"]
Distributions = Mapping[str, BaseDistribution]

ATTRIBUTES = ("metrics", "losses", "best_epoch", "failure", "provenance")
"""What Optuna has no place of its own for, and keeps as user attributes of a trial."""
CONSTANT_TIME = datetime(2000, 1, 1, tzinfo=UTC)
"""Start and end of every trial in a snapshot, so that its bytes depend on no clock."""


@dataclass(frozen=True)
class Trial:
    """The hyperparameters of a trial and, once it has finished, its results.

    Attributes:
        number: from 0.
        state: RUNNING from the proposal until the trial ends as COMPLETE, PRUNED or FAIL.
        params: searched hyperparameters by name; those whose condition does not hold are absent.
        provenance: digest of the code, libraries and CPU that made it.
        value: of the objective, or of the first of several; for a pruned trial the last one; None
            for a failed trial.
        further: of the other objectives; empty for a failed trial.
        metrics: of the validation split, after the last epoch that ran; empty for a failed trial.
        losses: mean training loss of each epoch.
        best_epoch: with `train.patience`, the epoch that value and metrics are of, from 1.
        intermediate: the objective after each epoch, from 1, where a pruner needs it.
        system_attrs: notes of the sampler and the pruner (CMA-ES: its generation, successive
            halving: its rungs).
        failure: why the trial failed; None for a complete one.
        started: milliseconds since 1970, UTC; never in a tracked file.
        finished: likewise.
        seed: fresh seed of a confirmation run; None: the seed of params.yaml.
        share: of the users that a run of a later rung trains on; None: that of the search.
    """

    number: int
    state: State
    params: Params
    provenance: str = ""
    value: float | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    losses: list[float] = field(default_factory=list)
    best_epoch: int | None = None
    intermediate: dict[int, float] = field(default_factory=dict)
    system_attrs: dict[str, Any] = field(default_factory=dict)
    failure: str | None = None
    started: int = 0
    finished: int = 0
    seed: int | None = None
    share: float | None = None
    further: list[float] = field(default_factory=list)

    @property
    def values(self) -> list[float]:
        """Of all objectives; empty for a failed trial."""
        return [] if self.value is None else [self.value, *self.further]

    @property
    def key(self) -> Key:
        """Tells it from the other trials and runs of a search."""
        return self.number, self.seed, self.share

    def to_json(self) -> dict[str, Any]:
        """Plain values, for `from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Trial":
        """The trial that `to_json` was called on; fields added since then have their defaults.

        Raises:
            ValueError: if the values are not those of a trial.
        """
        return TypeAdapter(cls).validate_python(values)

    def without_times(self) -> "Trial":
        """The trial as it goes into a snapshot."""
        return replace(self, started=0, finished=0)

    def as_proposed(self) -> "Trial":
        """The running trial that it was before it finished."""
        return Trial(
            self.number, "RUNNING", self.params, self.provenance,
            system_attrs=self.system_attrs, seed=self.seed, share=self.share,
        )  # fmt: skip

    def to_optuna(self, distributions: Distributions) -> FrozenTrial:
        """The trial as Optuna stores it; without times it started and ended at CONSTANT_TIME.

        Args:
            distributions: of all parameters of the space; the trial need not have each of them.
        """
        return FrozenTrial(
            number=self.number,
            trial_id=self.number,
            state=TrialState[self.state],
            value=None,
            values=self.values or None,
            datetime_start=_datetime(self.started),
            datetime_complete=None if self.state == "RUNNING" else _datetime(self.finished),
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
        """The finished trial that `to_optuna` was called on."""
        return cls(
            number=trial.number,
            state=cast(State, trial.state.name),
            params=trial.params,
            value=trial.values[0] if trial.values else None,
            further=trial.values[1:] if trial.values else [],
            intermediate=trial.intermediate_values,
            system_attrs=trial.system_attrs,
            started=_milliseconds(trial.datetime_start),
            finished=_milliseconds(trial.datetime_complete),
            **{name: trial.user_attrs[name] for name in ATTRIBUTES if name in trial.user_attrs},
        )


def distributions(spaces: Spaces) -> dict[str, BaseDistribution]:
    """Optuna's form of a search space, in alphabetical order."""
    return {
        name: json_to_distribution(json.dumps(spaces[name].model_dump(mode="json")))
        for name in sorted(spaces)
    }


def complete_by_value(trials: Iterable[Trial]) -> list[Trial]:
    """Complete trials, the highest value first; of equal values the lower number."""
    complete = [trial for trial in trials if trial.state == "COMPLETE"]
    return sorted(complete, key=lambda trial: (-(trial.value or 0.0), trial.number))


def _datetime(milliseconds: int) -> datetime:
    """The moment as Optuna wants it: local and naive; it stores UTC."""
    moment = datetime.fromtimestamp(milliseconds / 1000, UTC) if milliseconds else CONSTANT_TIME
    return moment.astimezone().replace(tzinfo=None)


def _milliseconds(moment: datetime | None) -> int:
    if moment is None or moment.astimezone(UTC) == CONSTANT_TIME:
        return 0
    return round(moment.timestamp() * 1000)
