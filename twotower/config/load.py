"""Reads params.yaml, whole, into a Config."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, model_validator

from twotower.common.errors import ConfigError
from twotower.config.base import Section
from twotower.config.data import DataConfig, SplitConfig
from twotower.config.outputs import MlflowConfig, VisualizeConfig
from twotower.config.search import CategoricalSpace, HpoConfig, ParameterSpace
from twotower.config.training import EvaluateConfig, ModelConfig, RefitConfig, TrainConfig

PARAMS = Path("params.yaml")


class Config(Section):
    """All of params.yaml."""

    seed: int = Field(default=42, ge=0)
    data: DataConfig = DataConfig()
    split: SplitConfig = SplitConfig()
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    evaluate: EvaluateConfig = EvaluateConfig()
    hpo: HpoConfig = HpoConfig()
    refit: RefitConfig = RefitConfig()
    visualize: VisualizeConfig = VisualizeConfig()
    mlflow: MlflowConfig = MlflowConfig()

    @model_validator(mode="after")
    def _check_objective(self) -> "Config":
        ranking = ("recall", "ndcg", "hit_rate")
        known = [f"{name}_at_{k}" for k in self.evaluate.ks for name in ranking] + ["mrr"]
        if self.hpo.objective not in known:
            msg = f"hpo.objective: must be one of {', '.join(known)}, got {self.hpo.objective}"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _check_search_space(self) -> "Config":
        defaults = hyperparameters(self.model, self.train)
        for name, space in self.hpo.search_space.items():
            if name not in defaults:
                known = ", ".join(sorted(defaults))
                msg = f"hpo.search_space.{name}: not a hyperparameter; known are {known}"
                raise ValueError(msg)
            for value in _extremes(space):
                _check_value(name, value, self.model, self.train)
            if self.hpo.include_defaults and not _contains(space, defaults[name]):
                msg = (
                    f"hpo.search_space.{name}: the default {defaults[name]} lies outside the "
                    "space; change one of them, or set hpo.include_defaults: false"
                )
                raise ValueError(msg)
        return self


NOT_SEARCHABLE = {"threads", "device"}


def hyperparameters(model: ModelConfig, train: TrainConfig) -> dict[str, Any]:
    """Name and value of everything that a search may vary."""
    values = model.model_dump(mode="json") | train.model_dump(mode="json")
    return {name: value for name, value in values.items() if name not in NOT_SEARCHABLE}


def with_hyperparameters(
    model: ModelConfig, train: TrainConfig, params: Mapping[str, Any]
) -> tuple[ModelConfig, TrainConfig]:
    """Both sections with `params` in place of their own values, validated again.

    Raises:
        ConfigError: if a value breaks the rule of its parameter.
    """
    sections: list[Any] = []
    for section in (model, train):
        own = {key: value for key, value in params.items() if key in type(section).model_fields}
        try:
            sections.append(type(section).model_validate(section.model_dump() | own))
        except ValidationError as error:
            problem = error.errors()[0]
            msg = f"hpo.search_space.{problem['loc'][0]}: {_explain(problem)}"
            raise ConfigError(msg) from None
    return sections[0], sections[1]


def _check_value(name: str, value: Any, model: ModelConfig, train: TrainConfig) -> None:
    used = hyperparameters(*with_hyperparameters(model, train, {name: value}))[name]
    if used != value:
        msg = f"hpo.search_space.{name}: {value!r} would be used as {used!r}; write that instead"
        raise ValueError(msg)


def _extremes(space: ParameterSpace) -> tuple[Any, ...]:
    return space.choices if isinstance(space, CategoricalSpace) else (space.low, space.high)


def _contains(space: ParameterSpace, value: Any) -> bool:
    if isinstance(space, CategoricalSpace):
        return value in space.choices
    if isinstance(value, bool | str) or not space.low <= value <= space.high:
        return False
    steps: float = (value - space.low) / space.step if space.step else 0.0
    return abs(steps - round(steps)) < 1e-8


def load_config(path: Path = PARAMS, overrides: Mapping[str, Any] | None = None) -> Config:
    """Read and validate all of `path`.

    Args:
        path: a YAML file.
        overrides: values that replace those of the file, by dotted key, e.g. `hpo.n_trials`.

    Raises:
        ConfigError: naming the file and every key that breaks a rule, one a line.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        msg = f"{path}: no such file; run this from the root of the repository"
        raise ConfigError(msg) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        msg = f"{path}: not valid YAML: {' '.join(str(error).split())}"
        raise ConfigError(msg) from None
    raw = {} if raw is None else raw
    for key, value in (overrides or {}).items():
        _override(raw, key, value)
    return parse_config(raw, source=str(path))


def parse_config(raw: Any, source: str = "params.yaml") -> Config:
    """Validate what a YAML reader returned.

    Raises:
        ConfigError: as `load_config` does.
    """
    try:
        return Config.model_validate(raw)
    except ConfigError as error:
        msg = f"{source}: {error}"
        raise ConfigError(msg) from None
    except ValidationError as error:
        lines = [_line(problem) for problem in error.errors()]
        raise ConfigError("\n".join(f"{source}: {line}" for line in lines)) from None


def _override(raw: Any, key: str, value: Any) -> None:
    """Set one value where the sections on the way are mappings; else validation will object."""
    *sections, name = key.split(".")
    for section in sections:
        if not isinstance(raw, dict):
            return
        raw = raw.setdefault(section, {})
    if isinstance(raw, dict):
        raw[name] = value


def _line(problem: Any) -> str:
    # A tagged union puts its tag ("int", "float") into the location; users did not write that.
    where = [str(part) for part in problem["loc"] if part not in ("int", "float", "categorical")]
    return f"{'.'.join(where)}: {_explain(problem)}" if where else _explain(problem)


def _explain(problem: Any) -> str:
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] in ("value_error", "missing", "extra_forbidden"):
        return str(message)
    return f"{message}, got {problem['input']!r}"
