"""What a search says of its space: what to widen, to fix, and to drop, each with its command.

Ranges whose end won come from the search itself (`twotower.search.advice`). The rest is computed
here, and a parameter of which there are too few trials to tell is left alone.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial
from scipy.stats import mannwhitneyu

from twotower.common.files import round_float
from twotower.config.numbers import without_exponent
from twotower.config.ranges import CategoricalSpace, FloatSpace, IntSpace
from twotower.plots.drawn_search import DrawnSearch
from twotower.plots.importance import Weight, place, ranges_of

FEWEST_TRIALS = 20
"""Complete trials that have a parameter, without which it is not called unimportant."""
FEWEST_COMPARED = 10
"""The same for saying that a part of its range is never good."""
FEWEST_EACH = 3
"""Trials of a choice or of a part of a range without which nothing is said of it."""
NEGLIGIBLE = 0.05
"""Share of the differences between trials, at the high end of its spread, that is next to none."""
BEST = 0.25
"""Share of the trials that counts as good."""
HALF = 0.5
PART = 1 / 3
"""Share of a range, at each end, that may be found to be never good."""
ALPHA = 0.1
"""Chance of one wrong line or more about what is never good, over all that is tested."""


@dataclass(frozen=True)
class _Part:
    """A choice of a parameter, or one end of its range.

    Attributes:
        name: of the parameter.
        where: the choice, or low or high.
        inside: values of the trials in it.
        outside: values of the other trials that have the parameter.
        spared: none of the trials in it is among the best of those that have the parameter.
    """

    name: str
    where: Any
    inside: tuple[float, ...]
    outside: tuple[float, ...]
    spared: bool

    @property
    def is_tested(self) -> bool:
        """Whether there are enough trials to say something."""
        sizes = len(self.inside), len(self.outside)
        return min(sizes) >= FEWEST_EACH and sum(sizes) >= FEWEST_COMPARED

    def chance(self) -> float:
        """How often values this low would come about if it made no difference (Mann-Whitney)."""
        return float(mannwhitneyu(self.inside, self.outside, alternative="less").pvalue)


def interpret(search: DrawnSearch) -> list[str]:
    """A line for each range to widen, to narrow, and each parameter to fix, in this order."""
    idle = list(_negligible(search))
    wider = [line for line in search.advice if not line.startswith(tuple(f"{n} " for n in idle))]
    return [*wider, *_narrower(search), *negligible(search)]


def negligible(search: DrawnSearch) -> list[str]:
    """A line for each parameter that was varied and made no difference, with a value to fix."""
    return [
        f"{name} made no difference (it explains at most {weight.high:.0%} of the differences "
        f"between trials); to pin it to {_text(value)}: dvc exp run {_fixed(search, name, value)}"
        for name, weight in _negligible(search).items()
        if (value := _usual(search, name)) is not None and _fixed(search, name, value)
    ]


def _negligible(search: DrawnSearch) -> dict[str, Weight]:
    """The parameters that made no difference, of those that were tried often enough to say so.

    Of several objectives to none; the weight is that to the one which they matter most to.
    """
    found = list(search.importances.values())
    if not all(one.by_variance for one in found):
        return {}
    gone = {(part.name, part.where) for part in never_good(search)}
    by_name: dict[str, Weight] = {}
    for weight in (weight for one in found for weight in one.weights):
        by_name[weight.name] = max(weight, by_name.get(weight.name, weight), key=lambda w: w.high)
    return {
        name: weight
        for name, weight in by_name.items()
        if weight.high <= NEGLIGIBLE
        and _is_varied(search.completed, name)
        and not _is_moot(search, name, gone)
    }


def _is_moot(search: DrawnSearch, name: str, gone: set[tuple[str, Any]]) -> bool:
    """Whether a parameter is searched only under choices that are never good."""
    return any(
        all((parent, value) in gone for value in values)
        or (parent in search.space and _is_moot(search, parent, gone))
        for parent, values in search.space[name].only_if.items()
    )


def never_good(search: DrawnSearch) -> list[_Part]:
    """The choices and ends of ranges that are worse than the rest, and never among the best.

    Of several objectives they are so in each.
    """
    first, *others = [_never_good(trials) for trials in search.by_objective.values()]
    shared = [{(part.name, part.where) for part in other} for other in others]
    return [part for part in first if all((part.name, part.where) in other for other in shared)]


def _never_good(trials: Sequence[FrozenTrial]) -> list[_Part]:
    parts = [part for name in ranges_of(trials) for part in _parts(trials, name)]
    tested = [part for part in parts if part.is_tested]
    return [part for part in tested if part.spared and part.chance() * len(tested) <= ALPHA]


def _parts(trials: Sequence[FrozenTrial], name: str) -> Iterator[_Part]:
    """Every choice of a parameter, or both ends of its range."""
    having = [trial for trial in trials if name in trial.params]
    space = ranges_of(having)[name]
    if isinstance(space, CategoricalDistribution):
        for choice in space.choices:
            yield _part(name, choice, having, [trial.params[name] == choice for trial in having])
        return
    places = [place(space, trial.params[name]) for trial in having]
    yield _part(name, "low", having, [at < PART for at in places])
    yield _part(name, "high", having, [at > 1 - PART for at in places])


def _part(name: str, where: Any, having: Sequence[FrozenTrial], inside: Sequence[bool]) -> _Part:
    values = [float(trial.value or 0.0) for trial in having]
    good = sorted(values, reverse=True)[math.ceil(BEST * len(values)) - 1]
    rows = list(zip(values, inside, strict=True))
    return _Part(
        name,
        where,
        tuple(value for value, is_in in rows if is_in),
        tuple(value for value, is_in in rows if not is_in),
        spared=all(value < good for value, is_in in rows if is_in),
    )


def _is_varied(trials: Sequence[FrozenTrial], name: str) -> bool:
    """Whether at least two choices, or both halves of the range, were tried often enough."""
    tried = [trial.params[name] for trial in trials if name in trial.params]
    space = ranges_of(trials)[name]
    if isinstance(space, CategoricalDistribution):
        counts = [tried.count(choice) for choice in space.choices]
    else:
        low = sum(place(space, value) < HALF for value in tried)
        counts = [low, len(tried) - low]
    return len(tried) >= FEWEST_TRIALS and sum(count >= FEWEST_EACH for count in counts) > 1


def _narrower(search: DrawnSearch) -> Iterator[str]:
    """A line for each part that is never good; none for what is searched only under such a one."""
    dropped = never_good(search)
    gone = {(part.name, part.where) for part in dropped}
    for part in dropped:
        if _is_moot(search, part.name, gone):
            continue
        space = search.space[part.name]
        count = f"none of its {len(part.inside)} trials among the best quarter"
        if isinstance(space, CategoricalSpace):
            yield f"{part.name} {part.where} is never good ({count}): {_without(search, part)}"
            continue
        kept = _boundary(space, part.where)
        side = "above" if part.where == "high" else "below"
        change = f"-S 'hpo.search_space.{part.name}.{part.where}={_text(kept)}'"
        yield (
            f"{part.name} is never good {side} {_text(kept)} ({count}): dvc exp run {change}"
            + _without_defaults(search, part, kept)
        )


def _without(search: DrawnSearch, part: _Part) -> str:
    """How to take a choice out; conditions that name it keep it in the space."""
    kept = [v for v in getattr(search.space[part.name], "choices", ()) if v != part.where]
    if len(kept) == 1 and (settled := _fixed(search, part.name, kept[0])):
        return f"dvc exp run {settled}"
    if _names_condition(search, part.name, part.where):
        return f"take it out of hpo.search_space.{part.name} and of the only_if that name it"
    choices = ",".join(map(_text, kept))
    change = f"-S 'hpo.search_space.{part.name}.choices=[{choices}]'"
    return f"dvc exp run {change}" + _without_defaults(search, part, kept)


def _without_defaults(search: DrawnSearch, part: _Part, kept: Any) -> str:
    """The defaults must lie in the space, or trial 0 must not be theirs."""
    value = search.defaults.params.get(part.name) if search.defaults else None
    if value is None or (value in kept if isinstance(kept, list) else _keeps(part, kept, value)):
        return ""
    return " -S hpo.include_defaults=false"


def _keeps(part: _Part, kept: float, value: float) -> bool:
    return value <= kept if part.where == "high" else value >= kept


def _boundary(space: IntSpace | FloatSpace, end: str) -> int | float:
    """The new end of a range without the part at this end: two digits, or a step of the range.

    Rounded outwards: rather a little of the part is kept than some of the rest lost.
    """
    at = 1 - PART if end == "high" else PART
    outwards = math.ceil if end == "high" else math.floor
    if space.log:
        value = space.low * (space.high / space.low) ** at
    else:
        value = space.low + at * (space.high - space.low)
    unit = space.step or 10.0 ** (math.floor(math.log10(abs(value) or 1.0)) - 1)
    start = space.low if space.step else 0
    steps = outwards(round((value - start) / unit, 9))
    return (
        start + steps * unit if isinstance(space, IntSpace) else round_float(steps * unit + start)
    )


def _usual(search: DrawnSearch, name: str) -> Any:
    """The value to fix a parameter at: its default, where trials have it, or the best trial's."""
    for trial in (search.defaults, search.best):
        if trial is not None and name in trial.params:
            return trial.params[name]
    return None


def _fixed(search: DrawnSearch, name: str, value: Any) -> str:
    """The arguments that fix a parameter; empty if there is no value or a condition is in the way.

    A hyperparameter that several entries set, or only some trials have, keeps its other values.
    """
    space = search.space[name]
    if value is None:
        return ""
    if not space.only_if and space.sets is None:
        return f"-S '+hpo.fixed.{name}={_text(value)}'"
    if _names_condition(search, name):
        return ""
    key = f"hpo.search_space.{name}"
    if isinstance(space, CategoricalSpace):
        return f"-S '{key}.choices=[{_text(value)}]'"
    return f"-S {key}.low={_text(value)} -S {key}.high={_text(value)}"


def _names_condition(search: DrawnSearch, name: str, *values: Any) -> bool:
    """Whether a condition names the parameter, and one of the values, if there are any."""
    wanted = [space.only_if[name] for space in search.space.values() if name in space.only_if]
    return any(not values or set(values) & set(choices) for choices in wanted)


def _text(value: Any) -> str:
    """As `-S` takes it."""
    return str(value).lower() if isinstance(value, bool) else without_exponent(value)
