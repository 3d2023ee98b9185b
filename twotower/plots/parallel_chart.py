"""Every completed trial as a line through its parameters and its value.

Optuna's chart is the frame, with our scales: its own span only the values that were tried and put
ticks between integers; ours span the search space and have ticks at possible values.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.trial import FrozenTrial
from optuna.visualization import plot_parallel_coordinate
from plotly.colors import sample_colorscale

from twotower.evaluation.metrics import metric_label
from twotower.plots import chart
from twotower.plots.chart import Chart
from twotower.plots.drawn_search import DrawnSearch

NAME = "hpo_parallel_coordinate"
TITLE = "Parameters and result of every trial"
MISSING = "not set"
MISSING_BAND = 0.12
"""Share of an axis, below its scale, for trials without that parameter."""
MAX_TICKS = 6
CLEAR = 0.07
"""Share of an axis without ticks next to each end."""


@dataclass(frozen=True)
class Axis:
    """One vertical axis; heights are in [0, 1]."""

    label: str
    ticks: tuple[tuple[float, str], ...]
    """Height and text of each."""
    heights: tuple[float, ...]
    """Of each completed trial."""
    texts: tuple[str, ...]
    """Value of each completed trial."""


def draw_parallel(search: DrawnSearch) -> Chart:
    """A line for each trial, dark for good ones, the best in a different colour."""
    title = f"{TITLE}: {chart.objective_label(search)}"
    if reason := chart.why_no_comparison(search):
        return Chart(NAME, title, None, reason)
    label = chart.objective_label(search)
    axes = _axes(search)
    figure = plot_parallel_coordinate(search.study, target_name=label)
    color_bar = figure.data[-1]
    figure.data = ()
    figure.add_traces([*_lines(search, axes), color_bar])
    figure.layout.annotations = _tick_labels(axes)
    figure.update_layout(chart.layout(title, chart.evidence(search)))
    figure.update_layout(
        legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.06, "yanchor": "bottom"},
        plot_bgcolor="white",
        margin={"t": 120, "b": 40},
    )
    figure.update_xaxes(
        side="top",
        tickvals=list(range(len(axes))),
        ticktext=[f"<b>{axis.label}</b>" for axis in axes],
        range=[-0.3, len(axes) - 0.85],
        tickfont={"size": 14},
        fixedrange=True,
    )
    figure.update_traces(
        selector={"mode": "markers"},
        marker={"colorscale": chart.SCALE, "reversescale": False},
        marker_colorbar={"title": {"text": label, "side": "right"}, "thickness": 14, "len": 0.9},
    )
    return Chart(NAME, title, figure)


def _axes(search: DrawnSearch) -> list[Axis]:
    completed = search.completed
    names = sorted({name for trial in completed for name in trial.params})
    values = [float(trial.value) for trial in completed if trial.value is not None]
    objective = _numeric_axis(metric_label(search.objective), values, min(values),
                              max(values), _round_ticks(min(values), max(values)))  # fmt: skip
    return [objective, *(_param_axis(name, completed) for name in names)]


def _param_axis(name: str, trials: Sequence[FrozenTrial]) -> Axis:
    distribution = next(t.distributions[name] for t in trials if name in t.distributions)
    values = [trial.params.get(name) for trial in trials]
    label = chart.value_text(name)
    if isinstance(distribution, CategoricalDistribution):
        return _categorical_axis(label, values, distribution)
    low, high = distribution.low, distribution.high  # type: ignore[attr-defined]
    log: bool = distribution.log  # type: ignore[attr-defined]
    ticks = _log_ticks(low, high) if log else _linear_ticks(distribution, low, high)
    return _numeric_axis(label, values, low, high, ticks, log=log)


def _categorical_axis(
    label: str, values: Sequence[Any], distribution: CategoricalDistribution
) -> Axis:
    last = len(distribution.choices) - 1
    places = {choice: place for place, choice in enumerate(_ordered(distribution.choices))}
    positions = [None if value is None else _share(places[value], 0, last) for value in values]
    ticks = [(_share(place, 0, last), chart.value_text(choice)) for choice, place in places.items()]
    return _axis(label, positions, ticks, [chart.value_text(value) for value in values])


def _ordered(choices: Sequence[Any]) -> list[Any]:
    """Numbers ascending; other choices as they were declared."""
    numbers = all(isinstance(choice, int | float) for choice in choices)
    return sorted(choices) if numbers else list(choices)


def _numeric_axis(
    label: str,
    values: Sequence[Any],
    low: float,
    high: float,
    ticks: Sequence[float],
    *,
    log: bool = False,
) -> Axis:
    scale = math.log10 if log else float
    positions = [
        None if value is None else _share(scale(value), scale(low), scale(high)) for value in values
    ]
    marks = [(_share(scale(tick), scale(low), scale(high)), f"{tick:.4g}") for tick in ticks]
    return _axis(label, positions, marks, [chart.value_text(value) for value in values])


def _axis(
    label: str,
    positions: Sequence[float | None],
    ticks: Sequence[tuple[float, str]],
    texts: Sequence[str],
) -> Axis:
    """The axis, above a band for missing values if there are any."""
    has_missing = None in positions
    floor = MISSING_BAND if has_missing else 0.0
    heights = [0.0 if place is None else floor + (1 - floor) * place for place in positions]
    marks = [(floor + (1 - floor) * place, text) for place, text in ticks]
    return Axis(
        label=label,
        ticks=tuple([(0.0, MISSING), *marks] if has_missing else marks),
        heights=tuple(heights),
        texts=tuple(
            MISSING if place is None else text for place, text in zip(positions, texts, strict=True)
        ),
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


def _lines(search: DrawnSearch, axes: Sequence[Axis]) -> list[Any]:
    """Lines from the worst to the best trial, so that good ones lie on top."""
    completed = search.completed
    worst_first = sorted(range(len(completed)), key=lambda index: completed[index].value or 0.0)
    colors = sample_colorscale(chart.SCALE, list(axes[0].heights))
    best = [] if search.best is None else [completed.index(search.best)]
    order = [index for index in worst_first if index not in best] + best
    return [
        _line(completed[index], index, axes, chart.BEST if index in best else colors[index],
              chart.best_label(search) if index in best else None)
        for index in order
    ]  # fmt: skip


def _line(
    trial: FrozenTrial, index: int, axes: Sequence[Axis], color: str, label: str | None
) -> Any:
    """A line through all axes; one with a label is thick, and in the legend."""
    return go.Scatter(
        x=list(range(len(axes))),
        y=[axis.heights[index] for axis in axes],
        customdata=[[axis.label, axis.texts[index]] for axis in axes],
        mode="lines",
        line={"color": color, "width": 4 if label else 2},
        opacity=1 if label else 0.75,
        name=f"{label or 'Other'} (trial {trial.number}: {chart.value_text(trial.value)})",
        showlegend=bool(label),
        hovertemplate=f"Trial {trial.number}<br>%{{customdata[0]}} = %{{customdata[1]}}"
        "<extra></extra>",
    )


def _tick_labels(axes: Sequence[Axis]) -> list[dict[str, Any]]:
    return [
        {
            "x": place,
            "y": height,
            "text": text,
            "showarrow": False,
            "xanchor": "right",
            "xshift": -6,
            "bgcolor": "rgba(255, 255, 255, 0.8)",
            "font": {"size": 13, "color": chart.INK},
        }
        for place, axis in enumerate(axes)
        for height, text in axis.ticks
    ]
