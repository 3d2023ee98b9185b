"""What a search varies, and what a trial of it trains with; knows nothing of Optuna."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from twotower.common.errors import ConfigError
from twotower.common.files import canonical
from twotower.config.effects import DataFacts, effective, without_effect
from twotower.config.hpo import HpoConfig
from twotower.config.hyperparameters import Params, hyperparameters, replace_both
from twotower.config.ranges import ParameterSpace, Spaces, contains, extremes, only_value
from twotower.config.space_checks import (
    Condition,
    both,
    check_spaces,
    check_value,
    parents_first,
    requirements,
)
from twotower.config.training import ModelConfig, TrainConfig
from twotower.config.training_choices import STARTS


@dataclass(frozen=True)
class SearchSpace:
    """What is searched once everything constant has been decided, and what completes a trial.

    A parameter of a trial is an entry of `hpo.search_space`. It has the name of the hyperparameter
    that it sets, unless the entry names another in `sets`.

    Attributes:
        model: section `model`.
        train: section `train`.
        declared: `hpo.search_space` as it is written, pinned parameters included.
        fixed: `hpo.fixed` as a training run uses the values.
        defaults: every hyperparameter's value in the sections `model` and `train`.
        include_defaults: `hpo.include_defaults`.
        searched: parameters that trials differ in; each comes after those that its condition
            names, otherwise in alphabetical order.
        settled: values of entries with a single one, which trials have where the condition holds.
        sets: the hyperparameter of each of these entries that has another name.
        conditions: for each conditional entry, the values of searched parameters it needs.
    """

    model: ModelConfig
    train: TrainConfig
    declared: Spaces
    fixed: Params
    defaults: Params
    include_defaults: bool
    searched: dict[str, ParameterSpace] = field(default_factory=dict)
    settled: Params = field(default_factory=dict)
    sets: dict[str, str] = field(default_factory=dict)
    conditions: dict[str, Condition] = field(default_factory=dict)

    @classmethod
    def of(cls, model: ModelConfig, train: TrainConfig, hpo: HpoConfig) -> "SearchSpace":
        """Check and resolve the search that these sections of params.yaml describe.

        Raises:
            ValueError: naming the key and the rule that it breaks.
            ConfigError: if a value breaks the rule of its parameter.
        """
        defaults = hyperparameters(model, train)
        for name, value in hpo.fixed.items():
            check_value(f"hpo.fixed.{name}", name, value, model, train)
        check_spaces(hpo.search_space, model, train, pinned=hpo.fixed.keys())
        pinned = canonical(hyperparameters(*replace_both(model, train, hpo.fixed, "hpo.fixed")))
        fixed = {name: pinned[name] for name in sorted(hpo.fixed)}
        space = cls(model, train, hpo.search_space, fixed, defaults, hpo.include_defaults)
        space._resolve()
        space._check_defaults()
        return space

    @property
    def starts_with_defaults(self) -> bool:
        """Whether trial 0 is the values of the sections `model` and `train`, all of them."""
        defaults = canonical(self.defaults)
        return self.include_defaults and all(
            defaults[name] == value for name, value in self.fixed.items()
        )

    def target(self, name: str) -> str:
        """The hyperparameter that a parameter of a trial sets."""
        return self.sets.get(name, name)

    def is_set(self, name: str, params: Mapping[str, Any]) -> bool:
        """Whether a trial with these values of the earlier parameters has this one, too.

        A parameter whose condition names one that the trial does not have is not set either.
        """
        return _holds(self.conditions.get(name, {}), params)

    def present(self, values: Mapping[str, Any]) -> Params:
        """The parameters of a trial that tries these values.

        Args:
            values: of all searched hyperparameters.
        """
        chosen: Params = {}
        for name in self.searched:
            if self.is_set(name, chosen):
                chosen[name] = values[self.target(name)]
        return dict(sorted(chosen.items()))

    def outside(self, values: Mapping[str, Any]) -> tuple[str, Any] | None:
        """The first entry whose range lacks the value that it would have, and that value.

        Args:
            values: of all searched hyperparameters.
        """
        params = self.present(values)
        for name, value in params.items():
            if not contains(self.searched[name], value):
                return name, value
        for name, value in self._settled_for(params).items():
            if values[self.target(name)] != value:
                return name, values[self.target(name)]
        return None

    @property
    def default_params(self) -> Params:
        """Parameters of a trial that tries the defaults."""
        return self.present(self.defaults)

    def chosen(self, params: Mapping[str, Any]) -> Params:
        """A trial's hyperparameters, those of a single value and those of `hpo.fixed` included."""
        entries = {**self._settled_for(params), **params}
        return {self.target(name): value for name, value in entries.items()} | self.fixed

    def complete(self, params: Mapping[str, Any]) -> Params:
        """A trial's hyperparameters with all that the space settles, as a training run has them."""
        used = self.chosen(params)
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
        return replace_both(self.model, self.train, {**self._derived(params), **params}, "hpo")

    def effective(self, params: Mapping[str, Any], data: DataFacts) -> Params:
        """What tells a trial's model from that of others, on such data; see `effective`."""
        used = self.chosen(params)
        try:
            return effective(*self.sections(used), data)
        except ConfigError:  # values that no model can have together: the trial will fail
            return used

    def without_effect(self, data: DataFacts) -> dict[str, str]:
        """Entries that do nothing in any trial on such data, and why.

        One that the condition of an entry that stays names is none of them.
        """
        reasons = without_effect(data)
        entries = {*self.searched, *self.settled}
        gone = {name for name in entries if self.target(name) in reasons}
        while kept := gone & {p for name in entries - gone for p in self.declared[name].only_if}:
            gone -= kept
        return {name: reasons[self.target(name)] for name in sorted(gone)}

    def reach(self, hyperparameter: str) -> list[Any]:
        """What trials can have of it: all choices, the ends of ranges, the value of the rest."""
        constant = (self.defaults | self.fixed)[hyperparameter]
        return [
            constant,
            *(v for values in self._values_of(hyperparameter).values() for v in values),
        ]

    def _values_of(self, hyperparameter: str) -> dict[str, tuple[Any, ...]]:
        """All choices, or both ends, of each entry that sets a hyperparameter."""
        values = {name: extremes(space) for name, space in self.searched.items()}
        values |= {name: (value,) for name, value in self.settled.items()}
        return {name: own for name, own in values.items() if self.target(name) == hyperparameter}

    def _settled_for(self, params: Mapping[str, Any]) -> Params:
        return {name: v for name, v in self.settled.items() if self.is_set(name, params)}

    def _derived(self, params: Mapping[str, Any]) -> Params:
        """Spectral starts of all trials are cut from one decomposition, as wide as the space."""
        model, _ = replace_both(self.model, self.train, params, "hpo")
        if not STARTS[model.init].decomposes or model.spectral_rank is not None:
            return {}
        return {"spectral_rank": max(self.model.dim, model.dim, *self.start_widths)}

    @cached_property
    def start_widths(self) -> list[int]:
        """Values of `dim` that entries give to trials whose start may decompose; and 0."""
        needs = requirements(self.declared)

        def may_decompose(name: str) -> bool:
            starts = [v for k, v in needs[name].items() if self.target(k) == "init"]
            return all(any(STARTS[str(v)].decomposes for v in values) for values in starts)

        found = self._values_of("dim").items()
        return [0, *(dim for name, dims in found if may_decompose(name) for dim in dims)]

    def _resolve(self) -> None:
        """Fill what trials have: take out what is pinned or ruled out by a constant."""
        self.sets.update({n: space.sets for n, space in self.declared.items() if space.sets})
        free = {n: space for n, space in self.declared.items() if self.target(n) not in self.fixed}
        constants = {**self.defaults, **self.fixed}
        for name in parents_first(free):
            wanted = free[name].only_if
            decided = {self.target(p): values for p, values in wanted.items() if p not in free}
            condition: Condition = {p: v for p, v in wanted.items() if p in free}
            known = self.searched.keys() | self.settled.keys()
            if not _holds(decided, constants) or not known >= condition.keys():
                continue
            for parent in condition.keys() & self.settled.keys():  # which has the one value wanted
                condition = both(condition, self.conditions.get(parent, {}))
            condition = {p: v for p, v in condition.items() if p in self.searched}
            if condition:
                self.conditions[name] = condition
            if (value := only_value(free[name])) is None:
                self.searched[name] = free[name]
            else:
                self.settled[name] = value

        for name in self.sets.keys() - self.searched.keys() - self.settled.keys():
            del self.sets[name]

    def _check_defaults(self) -> None:
        if self.include_defaults and (found := self.outside(self.defaults)):
            name, value = found
            msg = (
                f"hpo.search_space.{name}: the default {value} lies outside the "
                "space; change one of them, or set hpo.include_defaults: false"
            )
            raise ValueError(msg)


def _holds(condition: Condition, values: Mapping[str, Any]) -> bool:
    return all(name in values and values[name] in wanted for name, wanted in condition.items())
