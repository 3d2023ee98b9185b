"""What a search varies, and what a trial of it trains with; knows nothing of Optuna."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeVar

from pydantic import ValidationError

from twotower.common.errors import ConfigError
from twotower.common.files import canonical
from twotower.config.hpo import HpoConfig
from twotower.config.ranges import (
    CategoricalSpace,
    Choice,
    FloatSpace,
    ParameterSpace,
    Spaces,
    contains,
    extremes,
)
from twotower.config.section import Section, explain
from twotower.config.training import STARTS, ModelConfig, TrainConfig

S = TypeVar("S", bound=Section)
Params = dict[str, Any]
"""Hyperparameters by name."""
Conditions = dict[str, dict[str, tuple[Choice, ...]]]

DECOMPOSED = ("user_exponent", "item_exponent", "weight_exponent")
NOT_SEARCHABLE = {"threads", "device"}
MAX_DECOMPOSITIONS = 4
"""Combinations of these exponents that a search may try: each costs a decomposition."""


@dataclass(frozen=True)
class SearchSpace:
    """What is searched once everything constant has been decided, and what completes a trial.

    Attributes:
        model: section `model`.
        train: section `train`.
        declared: `hpo.search_space` as it is written, pinned parameters included.
        fixed: `hpo.fixed` as a training run uses the values.
        defaults: every hyperparameter's value in the sections `model` and `train`.
        include_defaults: `hpo.include_defaults`.
        searched: parameters that trials differ in; each comes after those that its condition
            names, otherwise in alphabetical order.
        conditions: for each conditional parameter, the values of searched parameters it needs.
    """

    model: ModelConfig
    train: TrainConfig
    declared: Spaces
    fixed: Params
    defaults: Params
    include_defaults: bool
    searched: dict[str, ParameterSpace] = field(default_factory=dict)
    conditions: Conditions = field(default_factory=dict)

    @classmethod
    def of(cls, model: ModelConfig, train: TrainConfig, hpo: HpoConfig) -> "SearchSpace":
        """Check and resolve the search that these sections of params.yaml describe.

        Raises:
            ValueError: naming the key and the rule that it breaks.
            ConfigError: if a value breaks the rule of its parameter.
        """
        defaults = hyperparameters(model, train)
        for name, value in hpo.fixed.items():
            _check_value(f"hpo.fixed.{name}", name, value, model, train)
        for name, parameter in hpo.search_space.items():
            _check_parameter(name, parameter, hpo.search_space, model, train)
        _check_decompositions(hpo.search_space)
        pinned = canonical(hyperparameters(*_replace(model, train, hpo.fixed, "hpo.fixed")))
        fixed = {name: pinned[name] for name in sorted(hpo.fixed)}
        space = cls(model, train, hpo.search_space, fixed, defaults, hpo.include_defaults)
        space._resolve()
        if not space.searched:
            msg = "hpo.search_space: hpo.fixed and only_if leave nothing to search"
            raise ValueError(msg)
        space._check_defaults()
        return space

    @property
    def starts_with_defaults(self) -> bool:
        """Whether trial 0 is the values of the sections `model` and `train`, all of them."""
        defaults = canonical(self.defaults)
        return self.include_defaults and all(
            defaults[name] == value for name, value in self.fixed.items()
        )

    def is_set(self, name: str, params: Mapping[str, Any]) -> bool:
        """Whether a trial with these values of the earlier parameters has this one, too.

        A parameter whose condition names one that the trial does not have is not set either.
        """
        return _holds(self.conditions.get(name, {}), params)

    def present(self, values: Mapping[str, Any]) -> Params:
        """Those of `values` that a trial trying them has.

        Args:
            values: of all searched parameters.
        """
        chosen: Params = {}
        for name in self.searched:
            if self.is_set(name, chosen):
                chosen[name] = values[name]
        return dict(sorted(chosen.items()))

    @property
    def default_params(self) -> Params:
        """Searched parameters of a trial that tries the defaults."""
        return self.present(self.defaults)

    def complete(self, params: Mapping[str, Any]) -> Params:
        """A trial's hyperparameters with those that `hpo.fixed` and the space itself settle."""
        used = {**params, **self.fixed}
        return {**used, **self._derived(used)}

    def sections(self, params: Mapping[str, Any]) -> tuple[ModelConfig, TrainConfig]:
        """The sections `model` and `train` of a training run with these hyperparameters.

        Args:
            params: replace the values of the sections; what the space derives from them is added.

        Raises:
            ConfigError: if a value breaks the rule of its parameter, or there is no such parameter.
        """
        unknown = sorted(params.keys() - self.defaults.keys())
        if unknown:
            msg = f"hpo: {unknown[0]} is not a hyperparameter"
            raise ConfigError(msg)
        return _replace(self.model, self.train, {**self._derived(params), **params}, "hpo")

    def _derived(self, params: Mapping[str, Any]) -> Params:
        """Spectral starts of all trials are cut from one decomposition, as wide as the space."""
        model, _ = _replace(self.model, self.train, params, "hpo")
        if not STARTS[model.init].decomposes or model.spectral_rank is not None:
            return {}
        widths = [self.model.dim, model.dim]
        if "dim" in self.searched:
            widths += extremes(self.searched["dim"])
        return {"spectral_rank": max(widths)}

    def _resolve(self) -> None:
        """Fill `searched` and `conditions`: take out what is pinned or ruled out by a constant."""
        free = {name: space for name, space in self.declared.items() if name not in self.fixed}
        constants = {**self.defaults, **self.fixed}
        for name in _parents_first(free):
            wanted = free[name].only_if
            open_ = {parent: values for parent, values in wanted.items() if parent in free}
            decided = {parent: values for parent, values in wanted.items() if parent not in free}
            if _holds(decided, constants) and self.searched.keys() >= open_.keys():
                self.searched[name] = free[name]
                if open_:
                    self.conditions[name] = open_

    def _check_defaults(self) -> None:
        if not self.include_defaults:
            return
        for name, value in self.default_params.items():
            if not contains(self.searched[name], value):
                msg = (
                    f"hpo.search_space.{name}: the default {value} lies outside the "
                    "space; change one of them, or set hpo.include_defaults: false"
                )
                raise ValueError(msg)


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
        msg = f"{place}: {explain(problem)}"
        raise ConfigError(msg) from None


def _replace(
    model: ModelConfig, train: TrainConfig, params: Mapping[str, Any], where: str
) -> tuple[ModelConfig, TrainConfig]:
    return replace_values(model, params, where), replace_values(train, params, where)


def hyperparameters(model: ModelConfig, train: TrainConfig) -> Params:
    """Name and value of everything that a search may vary."""
    values = model.model_dump(mode="json") | train.model_dump(mode="json")
    return {name: value for name, value in values.items() if name not in NOT_SEARCHABLE}


def _check_parameter(
    name: str, space: ParameterSpace, spaces: Spaces, model: ModelConfig, train: TrainConfig
) -> None:
    where = f"hpo.search_space.{name}"
    for value in extremes(space):
        _check_value(where, name, value, model, train)
    if isinstance(space, FloatSpace) and isinstance(hyperparameters(model, train)[name], int):
        msg = f"{where}: takes integers only; use type int"
        raise ValueError(msg)
    for parent, values in space.only_if.items():
        for value in values:
            _check_value(f"{where}.only_if.{parent}", parent, value, model, train)
        if parent in spaces:
            _check_reachable(f"{where}.only_if.{parent}", parent, values, spaces[parent])


def _check_value(where: str, name: str, value: Any, model: ModelConfig, train: TrainConfig) -> None:
    """Insist that a training run uses the value as it is written."""
    known = hyperparameters(model, train)
    if name not in known:
        msg = f"{where}: {name} is not a hyperparameter; known are {', '.join(sorted(known))}"
        raise ValueError(msg)
    used = hyperparameters(*_replace(model, train, {name: value}, where))[name]
    same = used == (list(value) if isinstance(value, tuple) else value)
    if not same or isinstance(used, bool) != isinstance(value, bool):
        msg = f"{where}: {value!r} would be used as {used!r}; write that instead"
        raise ValueError(msg)


def _check_reachable(where: str, parent: str, values: Iterable[Any], space: ParameterSpace) -> None:
    """Insist that a trial can have each of these values of a condition."""
    for value in values:
        if not contains(space, value):
            msg = f"{where}: the search space of {parent} does not contain {value!r}"
            raise ValueError(msg)
        if isinstance(space, FloatSpace) and not space.step and space.low < space.high:
            msg = f"{where}: {parent} is searched over a continuous range, and never {value!r}"
            raise ValueError(msg)


def _check_decompositions(spaces: Spaces) -> None:
    pairs = 1
    for name in DECOMPOSED:
        if (space := spaces.get(name)) is None:
            continue
        if not isinstance(space, CategoricalSpace):
            msg = f"hpo.search_space.{name}: must be categorical: each value is a decomposition"
            raise ValueError(msg)
        pairs *= len(space.choices)
    if pairs > MAX_DECOMPOSITIONS:
        msg = (
            f"hpo.search_space: {', '.join(DECOMPOSED)} make {pairs} combinations, at most "
            f"{MAX_DECOMPOSITIONS} are allowed: each is a decomposition"
        )
        raise ValueError(msg)


def _holds(condition: Mapping[str, tuple[Choice, ...]], values: Mapping[str, Any]) -> bool:
    return all(name in values and values[name] in wanted for name, wanted in condition.items())


def _parents_first(spaces: Spaces) -> Iterator[str]:
    """Every name after those in its condition; in alphabetical order where that leaves a choice."""
    sorter = TopologicalSorter(
        {name: sorted(space.only_if.keys() & spaces.keys()) for name, space in spaces.items()}
    )
    try:
        sorter.prepare()
    except CycleError as error:
        cycle = sorted(set(error.args[1]))
        msg = f"hpo.search_space: only_if conditions form a cycle: {', '.join(cycle)}"
        raise ValueError(msg) from None
    while names := sorted(sorter.get_ready()):
        yield from names
        sorter.done(*names)
