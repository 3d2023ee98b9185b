"""Reads params.yaml, whole, into a Config."""

import re
from collections.abc import Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError, model_validator

from twotower.common.errors import ConfigError
from twotower.common.files import canonical
from twotower.config.data import DataConfig, GuardConfig, SplitConfig
from twotower.config.hpo import TAGS, HpoConfig
from twotower.config.outputs import MlflowConfig, VisualizeConfig
from twotower.config.search_space import (
    CategoricalSpace,
    FloatSpace,
    ParameterSpace,
    Searched,
    contains,
    extremes,
    resolve,
)
from twotower.config.section import Section
from twotower.config.training import EvaluateConfig, ModelConfig, RefitConfig, TrainConfig
from twotower.evaluation.metrics import objectives

PARAMS = Path("params.yaml")


class Config(Section):
    """All of params.yaml."""

    seed: int = Field(default=42, ge=0)
    data: DataConfig = DataConfig()
    guard: GuardConfig = GuardConfig()
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
        choices = objectives(self.evaluate.ks)
        if self.hpo.objective not in choices:
            msg = f"hpo.objective: must be one of {', '.join(choices)}, got {self.hpo.objective}"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _check_start(self) -> "Config":
        if self.train.epochs == 0 and self.model.init == "random":
            msg = "train.epochs: 0 leaves the model as it starts: "
            msg += "it needs model.init: spectral or ridge"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _check_fixed(self) -> "Config":
        for name, value in self.hpo.fixed.items():
            self._check_value(f"hpo.fixed.{name}", name, value)
        return self

    @model_validator(mode="after")
    def _check_search_space(self) -> "Config":
        for name, space in self.hpo.search_space.items():
            where = f"hpo.search_space.{name}"
            for value in extremes(space):
                self._check_value(where, name, value)
            self._check_kind(where, name, space)
            for parent, values in space.only_if.items():
                self._check_condition(f"{where}.only_if.{parent}", parent, values)
        self._check_decompositions()
        try:
            spaces = searched(self).spaces
        except ValueError as error:
            msg = f"hpo.search_space: {error}"
            raise ValueError(msg) from None
        if not spaces:
            msg = "hpo.search_space: hpo.fixed and only_if leave nothing to search"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _check_defaults(self) -> "Config":
        if not self.hpo.include_defaults:
            return self
        found = searched(self)
        for name, value in found.present(hyperparameters(self.model, self.train)).items():
            if not contains(found.spaces[name], value):
                msg = (
                    f"hpo.search_space.{name}: the default {value} lies outside the "
                    "space; change one of them, or set hpo.include_defaults: false"
                )
                raise ValueError(msg)
        return self

    def _check_decompositions(self) -> None:
        """Each pair of exponents costs a decomposition, of which a search can afford few."""
        pairs = 1
        for name in ("user_exponent", "item_exponent"):
            if (space := self.hpo.search_space.get(name)) is None:
                continue
            if not isinstance(space, CategoricalSpace):
                msg = f"hpo.search_space.{name}: must be categorical: each value is a decomposition"
                raise ValueError(msg)
            pairs *= len(space.choices)
        if pairs > MAX_DECOMPOSITIONS:
            msg = (
                f"hpo.search_space: user_exponent and item_exponent make {pairs} pairs, at most "
                f"{MAX_DECOMPOSITIONS} are allowed: each is a decomposition"
            )
            raise ValueError(msg)

    def _check_condition(self, where: str, parent: str, values: Iterable[Any]) -> None:
        for value in values:
            self._check_value(where, parent, value)
            space = self.hpo.search_space.get(parent)
            if space is not None and not contains(space, value):
                msg = f"{where}: the search space of {parent} does not contain {value!r}"
                raise ValueError(msg)
            if isinstance(space, FloatSpace) and not space.step and space.low < space.high:
                msg = f"{where}: {parent} is searched over a continuous range, and never {value!r}"
                raise ValueError(msg)

    def _check_kind(self, where: str, name: str, space: ParameterSpace) -> None:
        used = hyperparameters(self.model, self.train)[name]
        if isinstance(space, FloatSpace) and isinstance(used, int):
            msg = f"{where}: takes integers only; use type int"
            raise ValueError(msg)

    def _check_value(self, where: str, name: str, value: Any) -> None:
        known = hyperparameters(self.model, self.train)
        if name not in known:
            msg = f"{where}: {name} is not a hyperparameter; known are {', '.join(sorted(known))}"
            raise ValueError(msg)
        changed = with_hyperparameters(self.model, self.train, {name: value}, where)
        used = hyperparameters(*changed)[name]
        same = used == (list(value) if isinstance(value, tuple) else value)
        if not same or isinstance(used, bool) != isinstance(value, bool):
            msg = f"{where}: {value!r} would be used as {used!r}; write that instead"
            raise ValueError(msg)


MAX_DECOMPOSITIONS = 4
NOT_SEARCHABLE = {"threads", "device"}


def hyperparameters(model: ModelConfig, train: TrainConfig) -> dict[str, Any]:
    """Name and value of everything that a search may vary."""
    values = model.model_dump(mode="json") | train.model_dump(mode="json")
    return {name: value for name, value in values.items() if name not in NOT_SEARCHABLE}


def with_hyperparameters(
    model: ModelConfig, train: TrainConfig, params: Mapping[str, Any], where: str = "hpo"
) -> tuple[ModelConfig, TrainConfig]:
    """Both sections with `params` in place of their own values, validated again.

    Args:
        model: section `model`.
        train: section `train`.
        params: hyperparameters by name.
        where: they come from, for the message.

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
            name = str(next(iter(problem["loc"]), ""))  # none where two values disagree
            place = f"{where}: {name}" if name not in ("", where.rpartition(".")[2]) else where
            msg = f"{place}: {_explain(problem)}"
            raise ConfigError(msg) from None
    return sections[0], sections[1]


def fixed_params(config: Config) -> dict[str, Any]:
    """Values of `hpo.fixed` as a training run uses them, by name."""
    model, train = with_hyperparameters(config.model, config.train, config.hpo.fixed, "hpo.fixed")
    used: dict[str, Any] = canonical(hyperparameters(model, train))
    return {name: used[name] for name in sorted(config.hpo.fixed)}


def derived_params(config: Config, params: Mapping[str, Any]) -> dict[str, Any]:
    """What hyperparameters of a trial imply for others, by name.

    Spectral starts of all trials are cut from one decomposition, as wide as the search space.
    """
    model, _ = with_hyperparameters(config.model, config.train, params)
    if model.init == "random" or model.spectral_rank is not None:
        return {}
    widths = [config.model.dim, model.dim]
    if "dim" in config.hpo.search_space:
        widths += extremes(config.hpo.search_space["dim"])
    return {"spectral_rank": max(widths)}


def searched(config: Config) -> Searched:
    """What is left to search."""
    defaults = hyperparameters(config.model, config.train)
    return resolve(config.hpo.search_space, config.hpo.fixed, defaults)


def begins_with_defaults(config: Config) -> bool:
    """Whether trial 0 is the values of sections `model` and `train`, all of them."""
    defaults = canonical(hyperparameters(config.model, config.train))
    pinned = fixed_params(config)
    return config.hpo.include_defaults and all(defaults[name] == pinned[name] for name in pinned)


def load_config(path: Path = PARAMS, overrides: Mapping[str, Any] | None = None) -> Config:
    """Read and validate all of `path`.

    Args:
        path: a YAML file.
        overrides: values that replace those of the file, by dotted key, e.g. `hpo.n_trials`.

    Raises:
        ConfigError: naming the file and every key that breaks a rule, one a line.
    """
    try:
        raw = yaml.load(path.read_text(encoding="utf-8-sig"), _Loader)  # noqa: S506 - a safe one
    except FileNotFoundError:
        msg = f"{path}: no such file; run this from the root of the repository"
        raise ConfigError(msg) from None
    except yaml.MarkedYAMLError as error:
        msg = f"{path}: not valid YAML: {_problem(error)}"
        raise ConfigError(msg) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        msg = f"{path}: not valid YAML: {' '.join(str(error).split())}"
        raise ConfigError(msg) from None
    raw = {} if raw is None else raw
    for key, value in (overrides or {}).items():
        _override(raw, key, value)
    return parse_config(raw, source=str(path))


class _Loader(yaml.SafeLoader):
    """Refuses a key that is given twice; PyYAML takes the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    msg = f"{key.value} is given twice"
                    raise yaml.constructor.ConstructorError(
                        problem=msg, problem_mark=key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)


def _problem(error: yaml.MarkedYAMLError) -> str:
    """What and where, without the line itself: it may hold a password."""
    mark = error.problem_mark or error.context_mark
    place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"{error.problem or error.context}{place}"


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
    # A tagged union puts its tag ("int", "tpe") into the location; users did not write that.
    where = [str(part) for part in problem["loc"] if part not in TAGS]
    return f"{'.'.join(where)}: {_explain(problem)}" if where else _explain(problem)


def _explain(problem: Any) -> str:
    message = problem["msg"].removeprefix("Value error, ")
    if problem["type"] in ("value_error", "missing", "extra_forbidden"):
        return str(message)
    given = re.sub(r"://.*@|password=[^\s'\"&]*", "***", repr(problem["input"]))
    return f"{message}, got {given}"
