"""The rules that the entries of `hpo.search_space` follow, alone and together."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from itertools import combinations
from typing import Any

from twotower.common.bounded import shown
from twotower.common.choices import did_you_mean, nearest
from twotower.common.errors import ConfigError
from twotower.config.hyperparameters import check_alone, hyperparameters, replace_both
from twotower.config.ranges import (
    CategoricalSpace,
    Choice,
    FloatSpace,
    ParameterSpace,
    Spaces,
    contains,
    extremes,
)
from twotower.config.training import ModelConfig, TrainConfig

Condition = Mapping[str, tuple[Choice, ...]]

DECOMPOSED = ("user_exponent", "item_exponent", "weight_exponent")
MAX_DECOMPOSITIONS = 4
"""Combinations of these exponents that a search may try: each costs a decomposition."""


def target(name: str, spaces: Spaces) -> str:
    """The hyperparameter that an entry sets; a name that is no entry stands for itself."""
    return (spaces[name].sets or name) if name in spaces else name


def check_spaces(
    spaces: Spaces, model: ModelConfig, train: TrainConfig, *, pinned: Collection[str]
) -> None:
    """Check each entry, and that a trial never has two values of a hyperparameter.

    Args:
        spaces: `hpo.search_space`.
        model: section `model`.
        train: section `train`.
        pinned: hyperparameters of `hpo.fixed`, of which no trial has another value: a start that
            does not go with section `model` may stay in the space.

    Raises:
        ValueError: naming the key and the rule that it breaks.
        ConfigError: if a value breaks the rule of its parameter.
    """
    for name, space in spaces.items():
        _check_name(name, space, model, train)
        if target(name, spaces) in pinned:
            for value in extremes(space):
                check_alone(target(name, spaces), value, f"hpo.search_space.{name}")
        else:
            _check_values(name, space, spaces, model, train)
        _check_conditions(name, spaces, model, train, pinned)
    _check_decompositions(spaces)
    _check_exclusion(spaces)


def check_value(where: str, name: str, value: Any, model: ModelConfig, train: TrainConfig) -> None:
    """Insist that a training run uses the value as it is written.

    Raises:
        ValueError: if it would use another, or there is no such hyperparameter.
        ConfigError: if the value breaks the rule of its parameter.
    """
    known = hyperparameters(model, train)
    _check_known(where, name, known)
    used = hyperparameters(*replace_both(model, train, {name: value}, where))[name]
    same = used == (list(value) if isinstance(value, tuple) else value)
    if not same or isinstance(used, bool) != isinstance(value, bool):
        msg = f"{where}: {shown(value)} would be used as {shown(used)}; write that instead"
        raise ValueError(msg)


def _check_known(
    where: str, name: str, known: Collection[str], entries: Collection[str] = ()
) -> None:
    """Insist that a name is a hyperparameter's, or an entry's where one may be named."""
    if name not in known and name not in entries:
        meant = did_you_mean(nearest(name, [*known, *entries]))
        what = "neither a hyperparameter nor an entry" if entries else "not a hyperparameter"
        meant = meant or f"known are {', '.join(sorted(known))}"
        msg = f"{where}: {name} is {what}; {meant}"
        raise ValueError(msg)


def parents_first(spaces: Spaces) -> Iterator[str]:
    """Every name after those in its condition; in alphabetical order where that leaves a choice.

    Raises:
        ValueError: if conditions form a cycle.
    """
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


def requirements(spaces: Spaces) -> dict[str, Condition]:
    """For each entry, its condition together with those of the entries that it names."""
    found: dict[str, Condition] = {}
    for name in parents_first(spaces):
        condition: Condition = spaces[name].only_if
        for parent in sorted(condition.keys() & spaces.keys()):
            condition = both(condition, found[parent])
        found[name] = condition
    return found


def both(one: Condition, other: Condition) -> Condition:
    """The condition that holds where both do."""
    shared = {
        name: tuple(value for value in one[name] if value in other[name])
        for name in one.keys() & other.keys()
    }
    return dict(sorted({**one, **other, **shared}.items()))


def _check_name(name: str, space: ParameterSpace, model: ModelConfig, train: TrainConfig) -> None:
    if space.sets is None:
        return
    where = f"hpo.search_space.{name}"
    if name in hyperparameters(model, train):
        msg = f"{where}: sets {space.sets}, but is the name of a hyperparameter; rename the entry"
        raise ValueError(msg)
    if not name.isidentifier():
        msg = f"{where}: a name begins with a letter and has letters, digits and underscores only"
        raise ValueError(msg)


def _check_values(
    name: str, space: ParameterSpace, spaces: Spaces, model: ModelConfig, train: TrainConfig
) -> None:
    where, hyperparameter = f"hpo.search_space.{name}", target(name, spaces)
    for value in extremes(space):
        try:
            check_value(where, hyperparameter, value, model, train)
        except ConfigError as error:
            if hyperparameter != "init":
                raise
            msg = f"{error}; or set hpo.fixed: {{init: {model.init}}}"
            raise ConfigError(msg) from None
    if isinstance(space, FloatSpace):
        default = hyperparameters(model, train)[hyperparameter]
        if isinstance(default, int):
            msg = f"{where}: takes integers only; use type int"
            raise ValueError(msg)


def _check_conditions(
    name: str, spaces: Spaces, model: ModelConfig, train: TrainConfig, pinned: Collection[str]
) -> None:
    for parent, values in spaces[name].only_if.items():
        where, parent_of = f"hpo.search_space.{name}.only_if.{parent}", target(parent, spaces)
        _check_known(where, parent, hyperparameters(model, train), spaces)
        _check_condition(where, parent, spaces)
        for value in values:
            if parent_of in pinned:
                check_alone(parent_of, value, where)
            else:
                check_value(where, parent_of, value, model, train)
        if parent in spaces:
            _check_reachable(where, parent, values, spaces[parent])


def _check_condition(where: str, parent: str, spaces: Spaces) -> None:
    """Insist that a condition names what is searched, not a hyperparameter that others set."""
    setters = sorted(name for name, space in spaces.items() if space.sets == parent)
    if setters and parent not in spaces:
        msg = f"{where}: name the entry that sets {parent}: {' or '.join(setters)}"
        raise ValueError(msg)


def _check_reachable(where: str, parent: str, values: Iterable[Any], space: ParameterSpace) -> None:
    """Insist that a trial can have each of these values of a condition."""
    for value in values:
        if not contains(space, value):
            msg = f"{where}: the search space of {parent} does not contain {shown(value)}"
            raise ValueError(msg)
        if isinstance(space, FloatSpace) and not space.step and space.low < space.high:
            msg = f"{where}: {parent} is searched over a continuous range, and never {value!r}"
            raise ValueError(msg)


def _check_decompositions(spaces: Spaces) -> None:
    tried = 1
    for exponent in DECOMPOSED:
        values: set[Any] = set()
        for name, space in spaces.items():
            if target(name, spaces) != exponent:
                continue
            if not isinstance(space, CategoricalSpace):
                msg = f"hpo.search_space.{name}: must be categorical: each value is a decomposition"
                raise ValueError(msg)
            values |= set(space.choices)
        tried *= len(values) or 1
    if tried > MAX_DECOMPOSITIONS:
        msg = (
            f"hpo.search_space: {', '.join(DECOMPOSED)} make {tried} combinations, at most "
            f"{MAX_DECOMPOSITIONS} are allowed: each is a decomposition"
        )
        raise ValueError(msg)


def _check_exclusion(spaces: Spaces) -> None:
    """Insist that two entries that set the same hyperparameter are never in one trial."""
    needs = requirements(spaces)
    for one, other in combinations(sorted(spaces), 2):
        hyperparameter = target(one, spaces)
        if hyperparameter != target(other, spaces):
            continue
        if all(both(needs[one], needs[other]).values()):
            msg = (
                f"hpo.search_space: {one} and {other} both set {hyperparameter}; they need only_if "
                "conditions that never hold together"
            )
            raise ValueError(msg)
