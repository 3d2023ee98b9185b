"""What one hyperparameter may be in a search: a range or choices, perhaps under a condition."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PositiveFloat,
    PositiveInt,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
    model_validator,
)

from twotower.common.bounded import shown
from twotower.common.files import DIGITS, round_float
from twotower.config.numbers import as_number
from twotower.config.section import Section


def _not_a_truth_value(value: Any) -> Any:
    if isinstance(value, bool):
        msg = f"must be a number, got {shown(value)}"
        raise ValueError(msg)
    return as_number(value)  # of a text of 400 digits, inf: pydantic would make an integer of it


Number = Annotated[float, AfterValidator(round_float)]
"""As every tracked file will show it, so that what is reported is what was tried."""
OnlyNumber = BeforeValidator(_not_a_truth_value)
"""True is 1 to Python; at the end of a range it is a mistake."""
MAX_GRID = 100_000
"""Values of a stepped range that are worth telling apart."""


def plain(value: Any) -> Any:
    """One spelling of a value: 128.0, "128" and 128 are the same choice, and so the same study.

    Raises:
        ValueError: if it is no finite number, text, true or false.
    """
    read = as_number(value)
    if isinstance(read, float) and read.is_integer():
        return int(read)
    if isinstance(read, bool | int | str) or (isinstance(read, float) and math.isfinite(read)):
        return read
    msg = f"must be a finite number, text, true or false, got {shown(value)}"
    raise ValueError(msg)


def _not_empty(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values:
        msg = "must have at least 1 value, got []"
        raise ValueError(msg)
    return values


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


Choice = Annotated[
    bool | int | Number | str,
    BeforeValidator(plain),
    WithJsonSchema({"type": ["boolean", "number", "string"]}),
]
Choices = Annotated[
    tuple[Choice, ...], AfterValidator(_not_empty), Field(json_schema_extra={"minItems": 1})
]
Condition = Annotated[Choices, BeforeValidator(_as_list, json_schema_input_type=Choices | Choice)]


class _Space(Section):
    """What all kinds of parameters share."""

    only_if: dict[str, Condition] = Field(default_factory=dict)
    """Searched only where each of these entries of the space, or hyperparameters, has that value,
    or one of those values."""
    sets: str | None = None
    """The hyperparameter that has this range, where the entry has a name of its own; null: that of
    the entry's name."""

    @model_serializer(mode="wrap")
    def _without_what_is_not_used(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = handler(self)
        return {k: v for k, v in values.items() if k not in ("only_if", "sets") or v}


class IntSpace(_Space):
    """Integers low, low + step, …, high."""

    type: Literal["int"]
    """Whole numbers."""
    low: Annotated[int, OnlyNumber]
    """The smallest."""
    high: Annotated[int, OnlyNumber]
    """The largest."""
    step: Annotated[PositiveInt, OnlyNumber] = 1
    """From one to the next; it divides the range, and is 1 on a log scale."""
    log: bool = False
    """true: every order of magnitude is as likely; `low` is then above 0."""

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


class FloatSpace(_Space):
    """Real numbers from low to high, both included."""

    type: Literal["float"]
    """Real numbers."""
    low: Annotated[Number, OnlyNumber]
    """The smallest."""
    high: Annotated[Number, OnlyNumber]
    """The largest."""
    step: Annotated[PositiveFloat | None, OnlyNumber] = None
    """From one to the next; it divides the range. null: any number; always so on a log scale."""
    log: bool = False
    """true: every order of magnitude is as likely; `low` is then above 0."""

    @model_validator(mode="after")
    def _check(self) -> "FloatSpace":
        _check_range(self.low, self.high, self.log)
        if self.step is None:
            return self
        if self.log:
            msg = "log and step cannot be combined"
            raise ValueError(msg)
        steps = (self.high - self.low) / self.step
        if steps > MAX_GRID:  # or infinite
            msg = (
                f"step {self.step:g} makes {steps:,.0f} values; leave it out for a continuous range"
            )
            raise ValueError(msg)
        if abs(steps - round(steps)) > 1e-8:
            msg = f"step {self.step:g} does not divide the range from {self.low:g} to {self.high:g}"
            raise ValueError(msg)
        self._check_grid(self.step, round(steps))
        return self

    def _check_grid(self, step: float, steps: int) -> None:
        """Trials hold rounded values, which must still be on the grid."""
        for number in range(steps + 1):
            value = round_float(self.low + number * step)
            if abs((value - self.low) / step - number) > 1e-8:
                msg = f"step {step!r} leads to values of more than {DIGITS} digits, e.g. {value!r}"
                raise ValueError(msg)


class CategoricalSpace(_Space):
    """A list of distinct choices."""

    type: Literal["categorical"]
    """A list of values."""
    choices: Choices
    """Distinct values; a single one is a value that a trial has where the condition holds."""

    @model_validator(mode="after")
    def _check(self) -> "CategoricalSpace":
        if len(set(self.choices)) != len(self.choices):
            msg = f"choices must be distinct, got {list(self.choices)}"
            raise ValueError(msg)
        return self


ParameterSpace = Annotated[IntSpace | FloatSpace | CategoricalSpace, Field(discriminator="type")]
Spaces = Mapping[str, ParameterSpace]


def _check_range(low: float, high: float, log: bool) -> None:
    if low > high:
        msg = f"low must not exceed high, got low {low:g} and high {high:g}"
        raise ValueError(msg)
    if log and low <= 0:
        msg = f"a log scale needs low > 0, got {low:g}"
        raise ValueError(msg)


def extremes(space: ParameterSpace) -> tuple[Any, ...]:
    """All choices, or both ends."""
    return space.choices if isinstance(space, CategoricalSpace) else (space.low, space.high)


def only_value(space: ParameterSpace) -> Any | None:
    """The single value that there is to try; None if there are more."""
    first, *others = extremes(space)
    return None if any(other != first for other in others) else first


def contains(space: ParameterSpace, value: Any) -> bool:
    """Whether a trial can try this value."""
    if isinstance(space, CategoricalSpace):
        return value in space.choices
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not space.low <= value <= space.high:
        return False
    steps: float = (value - space.low) / space.step if space.step else 0.0
    return abs(steps - round(steps)) < 1e-8
