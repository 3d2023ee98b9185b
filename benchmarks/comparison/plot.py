"""The quality-time frontier as a chart."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from plotly.colors import qualitative

from benchmarks.comparison.clock import FRONTIER
from benchmarks.comparison.datasets import Dataset
from benchmarks.comparison.tuning import Result, describe
from twotower.evaluation.metrics import metric_label
from twotower.plots import BrowserError, write_pages, write_pictures
from twotower.plots.chart import Chart, layout

FASTEST = 0.01
"""Seconds at which what took less is drawn: the axis is logarithmic."""


def draw(results: Sequence[Result], dataset: Dataset, machine: str) -> Chart:
    """Every score as a point, and for each method the best so far as a line."""
    figure = go.Figure()
    ran = [result for result in results if any(run.points for run in result.runs)]
    end = max((p.seconds for result in ran for run in result.runs for p in run.points), default=1)
    for result, colour in zip(ran, _colours(len(ran)), strict=True):
        figure.add_trace(_points(result, colour))
        figure.add_trace(_line(result, colour, max(end, 1)))
    missing = [result for result in results if result not in ran]
    notes = [f"{result.method}: {result.missing}" for result in missing]
    subtitle = " · ".join([machine, *notes])
    title = f"{dataset.name}: quality after seconds of training"
    figure.update_layout(
        **layout(title, f"validation split, {len(dataset.tuning.target):,} users · {subtitle}"),
        xaxis={
            "title": "seconds of training, without loading and evaluation",
            "type": "log",
            "tickvals": [FASTEST, 0.1, 1, *FRONTIER, 1800, 7200],
        },
        yaxis={"title": f"validation {metric_label(dataset.objective)}"},
        legend={"title": "best setting so far"},
    )
    return Chart("frontier", title, figure if ran else None, "No method could be scored.")


def write_plot(chart: Chart, folder: Path) -> tuple[list[Path], str]:
    """Write the page and, where a browser is found, the picture.

    Returns:
        The files written, and why there is no picture; empty if there is one.
    """
    paths = write_pages([chart], folder)
    try:
        return [*paths, *write_pictures([chart], folder)], ""
    except BrowserError as error:
        return paths, f"no PNG file: {error}"


def _colours(count: int) -> list[str]:
    palette = qualitative.D3
    return [palette[i % len(palette)] for i in range(count)]


def _points(result: Result, colour: str) -> Any:
    found = [(run, point) for run in result.runs for point in run.points]
    return go.Scatter(
        x=[max(point.seconds, FASTEST) for _, point in found],
        y=[point.metrics[result.objective] for _, point in found],
        text=[describe(run.setting) for run, _ in found],
        hovertemplate="%{text}<br>%{y:.4f} after %{x:.1f} s",
        mode="markers",
        marker={"color": colour, "size": 5, "opacity": 0.35},
        name=result.method,
        legendgroup=result.method,
        showlegend=False,
    )


def _line(result: Result, colour: str, end: float) -> Any:
    """Steps up at each new best score, and level from there on."""
    points = sorted(
        (max(point.seconds, FASTEST), point.metrics[result.objective])
        for run in result.runs
        for point in run.points
    )
    x, y = [points[0][0]], [points[0][1]]
    for seconds, value in points:
        if value > y[-1]:
            x.append(seconds)
            y.append(value)
    return go.Scatter(
        x=[*x, end],
        y=[*y, y[-1]],
        mode="lines",
        line={"color": colour, "shape": "hv", "width": 2.5},
        name=result.method,
        legendgroup=result.method,
        hoverinfo="skip",
    )
