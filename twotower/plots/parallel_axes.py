"""The axes of the parallel coordinates: the objectives, then the parameters of the search.

Optuna's axes span only the values that were tried and have ticks between integers; these span the
search space, and have ticks at values that a parameter can take.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution

from twotower.evaluation.metrics import Direction, metric_label
from twotower.plots import chart
from twotower.plots.drawn_search import DrawnSearch
from twotower.plots.importance import place, ranges_of

MAX_TICKS = 6
CLEAR = 0.07
"""Share of an axis without ticks next to each end."""
MOST_AXES = 9
"""Parameters that are shown beside each other while their names can be read."""
FIRST = 7
"""Parameters that are shown at first, where there are more."""


@dataclass(frozen=True)
class Axis:
    """One vertical axis; heights are in [0, 1]."""

    label: str
    ticks: tuple[tuple[float, str], ...]
    """Height and text of each."""
    heights: tuple[float | None, ...]
    """Of each completed trial; None where it lacks the parameter."""
    texts: tuple[str, ...]
    """Value of each completed trial."""
    condition: str = ""
    """What the parameter needs to be searched, in words; empty: nothing."""


def all_axes(search: DrawnSearch) -> list[Axis]:
    """The objectives, then every parameter, those of one condition side by side."""
    return [
        *_objectives(search),
        *(_parameter(search, name) for name in _grouped(search, _names(search))),
    ]


def first_axes(search: DrawnSearch) -> list[Axis]:
    """The same, but only with the parameters that matter most if they do not all find room."""
    names = _names(search)
    others = len(search.directions) - 1
    names = names if len(names) <= MOST_AXES - others else names[: FIRST - others]
    return [*_objectives(search), *(_parameter(search, name) for name in _grouped(search, names))]


def _names(search: DrawnSearch) -> list[str]:
    """Parameters of completed trials, the most important first, others in alphabetical order.

    Of several objectives that counts which a parameter matters most to.
    """
    shares: dict[str, float] = {}
    for weight in (weight for one in search.importances.values() for weight in one.weights):
        shares[weight.name] = max(weight.share, shares.get(weight.name, 0.0))
    ranked = sorted(shares, key=lambda name: -shares[name])
    return [*ranked, *(name for name in ranges_of(search.completed) if name not in ranked)]


def _grouped(search: DrawnSearch, names: Sequence[str]) -> list[str]:
    """Unconditional ones first, then those of each condition, in the order of their first name."""
    conditions = dict.fromkeys(["", *(chart.condition_text(search, name) for name in names)])
    return [
        name
        for wanted in conditions
        for name in names
        if chart.condition_text(search, name) == wanted
    ]


def _objectives(search: DrawnSearch) -> list[Axis]:
    """One for each, with the best values at the top."""
    return [
        _objective(metric, direction, [search.values_of(one)[metric] for one in search.completed])
        for metric, direction in search.directions.items()
    ]


def _objective(metric: str, direction: Direction, values: Sequence[float]) -> Axis:
    low, high = min(values), max(values)
    best, worst = (high, low) if direction == "maximize" else (low, high)
    lower = "" if direction == "maximize" else " (lower is better)"
    return _axis(
        metric_label(metric) + lower, values, lambda value: _share(value, worst, best),
        _round_ticks(low, high) if low < high else [low],
    )  # fmt: skip


def _parameter(search: DrawnSearch, name: str) -> Axis:
    space = ranges_of(search.completed)[name]
    values = [trial.params.get(name) for trial in search.completed]
    label, condition = chart.value_text(name), chart.condition_text(search, name)
    if isinstance(space, CategoricalDistribution):
        order = _ordered(space.choices)
        last = len(order) - 1
        return _axis(label, values, lambda v: _share(order.index(v), 0, last), order, condition)
    low, high = space.low, space.high  # type: ignore[attr-defined]
    log: bool = space.log  # type: ignore[attr-defined]
    ticks = _log_ticks(low, high) if log else _linear_ticks(space, low, high)
    return _axis(label, values, lambda value: place(space, value), ticks, condition)


def _ordered(choices: Sequence[Any]) -> list[Any]:
    """Numbers ascending; other choices as they were declared."""
    numbers = all(isinstance(choice, int | float) for choice in choices)
    return sorted(choices) if numbers else list(choices)


def _axis(
    label: str,
    values: Sequence[Any],
    height: Callable[[Any], float],
    ticks: Sequence[Any],
    condition: str = "",
) -> Axis:
    return Axis(
        label=label,
        ticks=tuple((height(tick), chart.value_text(tick)) for tick in ticks),
        heights=tuple(None if value is None else height(value) for value in values),
        texts=tuple("" if value is None else chart.value_text(value) for value in values),
        condition=condition,
    )


def _share(value: float, low: float, high: float) -> float:
    return 0.5 if low == high else (value - low) / (high - low)


def _linear_ticks(distribution: BaseDistribution, low: float, high: float) -> list[float]:
    """Both ends and evenly spaced values between them that the parameter can take."""
    step = getattr(distribution, "step", None)
    if low == high:
        return [low]
    if step is None:
        return _round_ticks(low, high)
    count = round((high - low) / step)
    stride = math.ceil(count / (MAX_TICKS - 1))
    inner = [low + place * step for place in range(stride, count, stride)]
    ticks = [low, *(tick for tick in inner if tick < high - CLEAR * (high - low)), high]
    return [round(tick) for tick in ticks] if isinstance(distribution, IntDistribution) else ticks


def _round_ticks(low: float, high: float) -> list[float]:
    """Both ends and the round numbers between them, not too close to the ends."""
    rough = (high - low) / (MAX_TICKS - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * size for size in (1, 2, 2.5, 5, 10) if power * size >= rough)
    inner = [step * place for place in range(math.ceil(low / step), math.floor(high / step) + 1)]
    clear = CLEAR * (high - low)
    return [low, *(tick for tick in inner if low + clear < tick < high - clear), high]


def _log_ticks(low: float, high: float) -> list[float]:
    """Both ends and the powers of ten between them, not too close to the ends."""
    if low == high:
        return [low]
    exponents = range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)
    clear = CLEAR * math.log10(high / low)
    inner = [
        10.0**power
        for power in exponents
        if math.log10(low) + clear < power < math.log10(high) - clear
    ]
    return [low, *inner, high]
