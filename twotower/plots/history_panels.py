"""The history of a search of several objectives: a panel below the first one for each other."""

from itertools import accumulate
from typing import Any

import plotly.graph_objects as go

from twotower.plots import chart
from twotower.plots.drawn_search import DrawnSearch
from twotower.plots.front import Front

GAP = 0.06
"""Between panels, as a share of the height."""


def add_panels(figure: Any, search: DrawnSearch, front: Front) -> None:
    """Give the chart of the first objective the top panel, and each other one of its own.

    They share the axis of trials and the legend.
    """
    count = len(front.directions)
    height = (1 - GAP * (count - 1)) / count
    tops = [1 - place * (height + GAP) for place in range(count)]
    figure.update_yaxes(domain=[tops[0] - height, 1])
    for place in range(1, count):
        axis = f"y{place + 1}"
        figure.add_traces([trace.update(yaxis=axis) for trace in _traces(search, front, place)])
        figure.update_layout({
            f"yaxis{place + 1}": {
                "title": {"text": front.label(place).replace(" (", "<br>(")},
                "domain": [max(0.0, tops[place] - height), tops[place]],
                "gridcolor": chart.GRID,
                "zeroline": False,
            }
        })  # fmt: skip
    figure.update_xaxes(anchor=f"y{count}")


def _traces(search: DrawnSearch, front: Front, place: int) -> list[go.Scatter]:
    """Trials, the best so far, a random ranking, the defaults and the chosen trial."""
    numbers = [trial.number for trial in search.completed]
    values = [front.values[number][place] for number in numbers]
    best = list(accumulate(values, max if front.sign(place) > 0 else min))
    last = len(search.study.get_trials(deepcopy=False)) - 1
    dots = {"color": chart.TRIAL, "size": 7, "line": {"color": chart.LINE, "width": 1}}
    traces = [
        _dots(numbers, values, dots),
        _line(
            [*numbers, last], [*best, best[-1]], {"color": chart.LINE, "width": 2, "shape": "hv"}
        ),
    ]
    if front.random is not None:
        dashed = {"color": chart.MUTED, "width": 1.5, "dash": "dash"}
        traces.append(_line([0, last], [front.random[place]] * 2, dashed))
    for trial, symbol, color, size in (
        (search.defaults, "diamond-open", chart.INK, 12),
        (search.best, "star", chart.BEST, 15),
    ):
        if trial is not None:
            mark = {"symbol": symbol, "color": color, "size": size, "line": {"width": 2}}
            traces.append(_dots([trial.number], [front.values[trial.number][place]], mark))
    return traces


def _dots(x: list[int], y: list[float], mark: dict[str, Any]) -> go.Scatter:
    return go.Scatter(
        x=x,
        y=y,
        mode="markers",
        marker=mark,
        showlegend=False,
        hovertemplate="<b>Trial %{x}</b>: %{y:.4g}<extra></extra>",
    )


def _line(x: list[int], y: list[float], line: dict[str, Any]) -> go.Scatter:
    return go.Scatter(x=x, y=y, mode="lines", line=line, showlegend=False, hoverinfo="skip")
