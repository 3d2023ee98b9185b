"""The rules that every section of params.yaml follows, and how a broken one is explained."""

import re
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError


class Section(BaseModel):
    """Unknown keys are errors, values never change, numbers are finite.

    An integer may be written as 5.0, so that 5 and 5.0 are the same study, and a number as quoted
    text. True and false are not numbers.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )

    @model_validator(mode="wrap")
    @classmethod
    def _refuse_truth_as_number(cls, raw: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        section = handler(raw)
        given = raw.items() if isinstance(raw, dict) else ()
        wrong = [
            InitErrorDetails(
                type=PydanticCustomError("no_number", "Input should be a number"),
                loc=(key,),
                input=value,
            )
            for key, value in given
            if isinstance(value, bool) and type(getattr(section, key)) in (int, float)
        ]
        if wrong:
            raise ValidationError.from_exception_data(cls.__name__, wrong)
        return section


def explain(problem: Any) -> str:
    """One of pydantic's errors as a rule and the value that breaks it, without credentials."""
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] in ("value_error", "missing", "extra_forbidden"):
        return str(message)
    given = re.sub(r"://.*@|password=[^\s'\"&]*", "***", repr(problem["input"]))
    return f"{message}, got {given}"
