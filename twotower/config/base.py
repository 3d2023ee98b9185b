"""The rules that every section of params.yaml follows."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Unknown keys are errors, values never change, numbers are finite.

    A number may be written as text: YAML 1.1 reads 1e-4 as a string, and `dvc exp run -S` writes
    1e-06. An integer may be written as 5.0, so that 5 and 5.0 are the same study.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, use_attribute_docstrings=True
    )
