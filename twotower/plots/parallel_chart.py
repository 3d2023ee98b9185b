"""Every completed trial as a line through its value and its parameters.

A line is broken where its trial lacks a parameter, and parameters of one condition stand together.
"""

from collections.abc import Sequence
from itertools import groupby
from textwrap import wrap
from typing import Any

import plotly.graph_objects as go
from optuna.trial import FrozenTrial
from plotly.colors import sample_colorscale

from twotower.plots import chart
from twotower.plots.chart import Chart
from twotower.plots.drawn_search import DrawnSearch
from twotower.plots.interpretation import interpret
from twotower.plots.parallel_axes import Axis, all_axes, first_axes

NAME_WIDTH = 12
"""Characters of a line of the name of an axis."""
NAME = "hpo_parallel_coordinate"
TITLE = "Parameters and result of every trial"
BRACKET = 64
"""Pixels from the top of the axes to the line above the parameters of one condition."""


def draw_parallel(search: DrawnSearch) -> Chart:
    """A line for each trial, dark for good ones, the best in a different colour."""
    title = f"{TITLE}: {chart.objectives_label(search)}"
    if reason := chart.why_no_comparison(search):
        return Chart(NAME, title, None, reason)
    first, every = first_axes(search), all_axes(search)
    order, colors = _order(search), sample_colorscale(chart.SCALE, list(first[0].heights))
    lines = [_line(search, index, colors[index]) for index in order]
    figure = go.Figure([*lines, _color_bar(search)])
    for line, points in zip(figure.data, _points(order, first), strict=False):
        line.update(points)
    figure.update_layout(chart.layout(title, chart.evidence(search)))
    figure.update_layout(
        legend={"orientation": "h", "x": 0, "xanchor": "left", "y": -0.04, "yanchor": "top"},
        plot_bgcolor="white",
        margin={"t": 150 + 15 * _heading_lines(every), "b": 60},
    )
    figure.update_xaxes(side="top", tickangle=0, tickfont={"size": 13}, fixedrange=True)
    figure.update_xaxes(gridcolor=chart.MUTED, zeroline=False)
    figure.update_yaxes(range=[-0.03, 1.03], visible=False, fixedrange=True)
    figure.update_layout(_frame(first))
    if len(first) < len(every):
        figure.update_layout(updatemenus=[_switch(order, first, every, len(search.directions))])
    return Chart(NAME, title, figure, notes=tuple(interpret(search)))


def _order(search: DrawnSearch) -> list[int]:
    """From the worst to the best trial, so that good ones lie on top."""
    completed = search.completed
    worst_first = sorted(range(len(completed)), key=lambda index: completed[index].value or 0.0)
    best = [] if search.best is None else [completed.index(search.best)]
    return [index for index in worst_first if index not in best] + best


def _line(search: DrawnSearch, index: int, color: str) -> go.Scatter:
    """The line of a trial, still without points; that of the best is thick, and in the legend."""
    trial: FrozenTrial = search.completed[index]
    is_best = trial == search.best
    color = chart.BEST if is_best else color
    label = chart.best_label(search) if is_best else "Other"
    return go.Scatter(
        mode="lines+markers",
        line={"color": color, "width": 4 if is_best else 2},
        marker={"color": color, "size": 8 if is_best else 5},
        opacity=1 if is_best else 0.75,
        name=f"{label} (trial {trial.number}: {chart.value_text(trial.value)})",
        showlegend=is_best,
        hovertemplate=f"Trial {trial.number}<br>%{{customdata[0]}} = %{{customdata[1]}}"
        "<extra></extra>",
    )


def _points(order: Sequence[int], axes: Sequence[Axis]) -> list[dict[str, Any]]:
    """Where the line of each trial crosses the axes."""
    return [
        {
            "x": list(range(len(axes))),
            "y": [axis.heights[index] for axis in axes],
            "customdata": [[axis.label, axis.texts[index]] for axis in axes],
        }
        for index in order
    ]


def _color_bar(search: DrawnSearch) -> go.Scatter:
    """The scale of the colours, on a trace without points."""
    values = [trial.value or 0.0 for trial in search.completed]
    title = {"text": chart.objective_label(search), "side": "right"}
    return go.Scatter(
        x=[None],
        y=[None],
        mode="markers",
        showlegend=False,
        hoverinfo="skip",
        marker={
            "colorscale": chart.SCALE,
            "cmin": min(values),
            "cmax": max(values),
            "color": [min(values)],
            "showscale": True,
            "colorbar": {"title": title, "thickness": 14, "len": 0.9},
        },
    )


def _frame(axes: Sequence[Axis]) -> dict[str, Any]:
    """What the layout says of the axes: their names, ticks, and the conditions above them."""
    groups = _groups(axes)
    return {
        "xaxis.tickvals": list(range(len(axes))),
        "xaxis.ticktext": [f"<b>{_wrapped(axis.label)}</b>" for axis in axes],
        "xaxis.range": [-0.5, len(axes) - 0.7],
        "annotations": [*_tick_labels(axes), *(_heading(*group) for group in groups)],
        "shapes": [_bracket(places) for _, places in groups],
    }


def _groups(axes: Sequence[Axis]) -> list[tuple[str, list[int]]]:
    """Heading and places of the axes of each condition."""
    found = []
    for condition, group in groupby(enumerate(axes), key=lambda pair: pair[1].condition):
        places = [place for place, _ in group]
        if condition:
            heading = condition.replace(" and ", "<br>and ")
            narrow = len(places) == 1
            found.append((heading.replace(" = ", " =<br>") if narrow else heading, places))
    return found


def _heading_lines(axes: Sequence[Axis]) -> int:
    return max((heading.count("<br>") + 1 for heading, _ in _groups(axes)), default=0)


def _wrapped(label: str) -> str:
    """A name on two lines or more, so that names side by side need no room but their own."""
    return "<br>".join(wrap(label, NAME_WIDTH, break_long_words=False)).replace("_", "_<br>")


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


def _heading(text: str, places: Sequence[int]) -> dict[str, Any]:
    """The condition above its parameters."""
    return {
        "x": (places[0] + places[-1]) / 2,
        "y": 1,
        "yref": "paper",
        "yanchor": "bottom",
        "yshift": BRACKET,
        "text": text,
        "showarrow": False,
        "font": {"size": 12, "color": chart.MUTED},
    }


def _bracket(places: Sequence[int]) -> dict[str, Any]:
    return {
        "type": "line",
        "x0": places[0] - 0.4,
        "x1": places[-1] + 0.4,
        "y0": BRACKET,
        "y1": BRACKET,
        "yref": "paper",
        "ysizemode": "pixel",
        "yanchor": 1,
        "line": {"color": chart.MUTED, "width": 1},
    }


def _switch(
    order: Sequence[int], first: Sequence[Axis], every: Sequence[Axis], num_objectives: int
) -> dict[str, Any]:
    """Buttons that show the parameters that matter most, or all."""
    buttons = []
    for label, axes in (
        (f"The {len(first) - num_objectives} that matter most", first),
        (f"All {len(every) - num_objectives} parameters", every),
    ):
        points = _points(order, axes)
        lines = {key: [line[key] for line in points] for key in points[0]}
        arguments = [lines, _frame(axes), list(range(len(order)))]
        buttons.append({"label": label, "method": "update", "args": arguments})
    return {
        "type": "buttons",
        "direction": "right",
        "buttons": buttons,
        "x": 1,
        "xanchor": "right",
        "y": -0.03,
        "yanchor": "top",
        "showactive": True,
    }
