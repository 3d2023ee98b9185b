"""The rules that every section of params.yaml follows."""

import copy
from collections.abc import Iterator
from typing import Annotated, Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from twotower.config.numbers import read_number

Text = Annotated[str, StringConstraints(min_length=1)]


class Section(BaseModel):
    """Unknown keys are errors, values never change, numbers are finite.

    The docstrings of the fields are what docs/parameters.md and editors say of the keys. That of a
    key which is added after version 0.1.0 ends with the version, such as "Since 0.2.0.".

    A number may be written in any spelling, as text too: 5, 5.0 and "5e0" are the same study. True
    and false are not numbers.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    @model_validator(mode="wrap")
    @classmethod
    def _read_numbers(cls, raw: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            section = handler(raw)
        except ValidationError as error:
            raw, num_read = _with_numbers(raw, error)
            if not num_read:
                raise
            section = handler(raw)
        wrong = [
            InitErrorDetails(
                type=PydanticCustomError("no_number", "must be a number"), loc=place, input=value
            )
            for place, value in _truths_as_numbers(raw, dict(section), ())
        ]
        if wrong:
            raise ValidationError.from_exception_data(cls.__name__, wrong)
        return section


def _with_numbers(raw: Any, error: ValidationError) -> tuple[Any, int]:
    """A copy with numbers in place of what pydantic could not read as one, and how many."""
    raw, num_read = copy.deepcopy(raw), 0
    for problem in error.errors():
        if problem["type"] not in ("int_parsing", "float_parsing"):
            continue
        *sections, name = problem["loc"]
        inner = raw
        for section in sections:  # a place may have the name of a union's member, which is no key
            inner = inner.get(section) if isinstance(inner, dict) else None
        number = read_number(str(problem["input"]))
        if number is not None and isinstance(inner, dict | list):
            inner[name] = number  # type: ignore[index]
            num_read += 1
    return raw, num_read


def _truths_as_numbers(
    given: Any, used: Any, place: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], bool]]:
    """Where true or false was read as 1 or 0."""
    if isinstance(given, bool):
        if type(used) in (int, float):
            yield place, given
    elif isinstance(given, list | tuple) and isinstance(used, tuple):
        for number, (one, read) in enumerate(zip(given, used, strict=False)):
            yield from _truths_as_numbers(one, read, (*place, number))
    elif isinstance(given, dict) and isinstance(used, dict):
        for key in given.keys() & used.keys():
            yield from _truths_as_numbers(given[key], used[key], (*place, key))
