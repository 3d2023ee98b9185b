"""The rules that every section of params.yaml follows."""

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

    A number may be written as text: YAML 1.1 reads 1e-4 as a string, and `dvc exp run -S` writes
    1e-06. An integer may be written as 5.0, so that 5 and 5.0 are the same study. True and false
    are no numbers.
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
