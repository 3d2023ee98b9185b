"""What a search may vary: the values of the sections `model` and `train`, by name."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError

from twotower.common.errors import ConfigError
from twotower.config.messages import explain
from twotower.config.places import Place
from twotower.config.section import Section
from twotower.config.training import ModelConfig, TrainConfig

S = TypeVar("S", bound=Section)
Params = dict[str, Any]
"""Hyperparameters by name."""

NOT_SEARCHABLE = {"threads", "device"}


def hyperparameters(model: ModelConfig, train: TrainConfig) -> Params:
    """Name and value of everything that a search may vary."""
    values = model.model_dump(mode="json") | train.model_dump(mode="json")
    return {name: value for name, value in values.items() if name not in NOT_SEARCHABLE}


def replace_values(section: S, values: Mapping[str, Any], where: str) -> S:
    """A section with other values, validated again; values of other sections are ignored.

    Args:
        section: of params.yaml.
        values: by name.
        where: the values come from, for the message.

    Raises:
        ConfigError: if a value breaks the rule of its parameter.
    """
    own = {key: value for key, value in values.items() if key in type(section).model_fields}
    try:
        return type(section).model_validate(section.model_dump() | own)
    except ValidationError as error:
        problem = error.errors()[0]
        name = str(next(iter(problem["loc"]), ""))  # none where two values disagree
        place = f"{where}: {name}" if name not in ("", where.rpartition(".")[2]) else where
        msg = f"{place}: {explain(problem, Place(place))}"
        raise ConfigError(msg) from None


def check_alone(name: str, value: Any, where: str) -> None:
    """Insist on the rule of one hyperparameter, whatever the values of the others.

    Raises:
        ConfigError: if the value breaks it.
    """
    section = ModelConfig if name in ModelConfig.model_fields else TrainConfig
    try:
        section.model_validate({name: value})
    except ValidationError as error:
        for problem in error.errors():
            if problem["loc"]:  # of this value; where values disagree there is none
                msg = f"{where}: {explain(problem, Place(where))}"
                raise ConfigError(msg) from None


def replace_both(
    model: ModelConfig, train: TrainConfig, params: Mapping[str, Any], where: str
) -> tuple[ModelConfig, TrainConfig]:
    """Both sections with other values; see `replace_values`."""
    return replace_values(model, params, where), replace_values(train, params, where)
