"""Section `hpo`: the search space and how it is explored."""

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    PositiveFloat,
    PositiveInt,
    StringConstraints,
    model_validator,
)

from twotower.common.files import round_float
from twotower.config.base import Section

Number = Annotated[float, AfterValidator(round_float)]
"""As every tracked file will show it, so that what is reported is what was tried."""
Choice = bool | int | Number | str


class IntSpace(Section):
    """Integers low, low + step, …, high."""

    type: Literal["int"]
    low: int
    high: int
    step: PositiveInt = 1
    log: bool = False

    @model_validator(mode="after")
    def _check(self) -> "IntSpace":
        _check_range(self.low, self.high, self.log)
        if self.log and self.step != 1:
            msg = "log and step cannot be combined"
            raise ValueError(msg)
        if (self.high - self.low) % self.step:
            msg = f"step {self.step} does not divide the range from {self.low} to {self.high}"
            raise ValueError(msg)
        return self


class FloatSpace(Section):
    """Real numbers from low to high, both included."""

    type: Literal["float"]
    low: Number
    high: Number
    step: PositiveFloat | None = None
    log: bool = False

    @model_validator(mode="after")
    def _check(self) -> "FloatSpace":
        _check_range(self.low, self.high, self.log)
        if self.step is None:
            return self
        if self.log:
            msg = "log and step cannot be combined"
            raise ValueError(msg)
        steps = (self.high - self.low) / self.step
        if abs(steps - round(steps)) > 1e-8:
            msg = f"step {self.step:g} does not divide the range from {self.low:g} to {self.high:g}"
            raise ValueError(msg)
        return self


class CategoricalSpace(Section):
    """A list of distinct choices."""

    type: Literal["categorical"]
    choices: Annotated[tuple[Choice, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _check(self) -> "CategoricalSpace":
        if len(set(self.choices)) != len(self.choices):
            msg = f"choices must be distinct, got {list(self.choices)}"
            raise ValueError(msg)
        return self


ParameterSpace = Annotated[IntSpace | FloatSpace | CategoricalSpace, Field(discriminator="type")]


def _check_range(low: float, high: float, log: bool) -> None:
    if low > high:
        msg = f"low must not exceed high, got low {low:g} and high {high:g}"
        raise ValueError(msg)
    if log and low <= 0:
        msg = f"a log scale needs low > 0, got {low:g}"
        raise ValueError(msg)


def default_search_space() -> dict[str, IntSpace | FloatSpace | CategoricalSpace]:
    """The four hyperparameters that are searched when params.yaml names none."""
    return {
        "dim": IntSpace(type="int", low=8, high=64, step=8),
        "lr": FloatSpace(type="float", low=1e-4, high=1e-1, log=True),
        "epochs": IntSpace(type="int", low=3, high=15),
        "batch_size": CategoricalSpace(type="categorical", choices=(128, 256, 512)),
    }


class HpoConfig(Section):
    """Section `hpo`."""

    n_trials: PositiveInt = 20
    """Total number of trials, those of earlier runs included."""
    timeout: PositiveFloat | None = None
    """Seconds after which no further trial is started; null: no limit."""
    objective: str = "recall_at_10"
    """Validation metric to maximise."""
    search_space: Annotated[dict[str, ParameterSpace], Field(min_length=1)] = Field(
        default_factory=default_search_space
    )
    """Hyperparameters of `model` and `train`, in Optuna's abbreviated form."""
    include_defaults: bool = True
    """Whether trial 0 is the values of `model` and `train`."""
    sampler: Literal["tpe", "random"] = "tpe"
    lookahead: PositiveInt = 4
    """Trial n is proposed when trials 0..n-lookahead are finished; part of a study's identity."""
    on_drift: Literal["new", "resume", "error"] = "new"
    """When stored trials were made by other code, libraries or CPU capability."""
    study_name: Annotated[str, StringConstraints(pattern=r"^[\w.-]+$")] = "two-tower"
    storage: str | None = None
    """Database URL of the live study; null: SQLite below .hpo/ in the repository."""
