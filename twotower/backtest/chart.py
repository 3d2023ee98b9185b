"""The plot of a backtest: quality over time, and what less work costs."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from twotower.backtest.comparisons import OTHERS
from twotower.backtest.periods import length_text
from twotower.backtest.scores import FIRST_SEARCH, NEVER
from twotower.backtest.wording import label_of, sentences
from twotower.baselines.baseline import BASELINES
from twotower.common.scorers import DEFAULT, MODEL
from twotower.evaluation.metrics import metric_label
from twotower.plots import chart
from twotower.plots.chart import Chart

COLORS = {
    MODEL: chart.BEST,
    NEVER: chart.PROBLEM,
    FIRST_SEARCH: chart.LINE,
    DEFAULT: chart.TRIAL,
}
"""Of the lines, the most important first; the best baseline and popularity are grey."""
DASHES = {NEVER: "dash", FIRST_SEARCH: "dot", "popularity": "dot"}
HEIGHT = 760
"""Of the figure, in pixels."""


def draw_backtest(content: Mapping[str, Any]) -> Chart:
    """Two parts, one below the other, and a sentence for each question.

    Args:
        content: of backtest.json.
    """
    every = length_text(content["every_seconds"])
    label = metric_label(content["objective"])
    compared = content["gains"]
    gains = [name for name in OTHERS if name in compared and not compared[name]["is_same"]]
    titles = [f"{label} of each period of {every}"]
    titles += ["What less work costs or gains, over all periods"] if gains else []
    figure = make_subplots(
        rows=len(titles),
        cols=1,
        subplot_titles=titles,
        vertical_spacing=0.16,
        row_heights=[0.55, 0.45][: len(titles)],
    )
    for line in _lines(content):
        figure.add_trace(line, row=1, col=1)
    figure.update_yaxes(title=label, rangemode="tozero", row=1, col=1)
    figure.update_xaxes(title="First day of the period", row=1, col=1)
    if gains:
        figure.add_trace(_forest(content, gains), row=2, col=1)
        figure.add_vline(x=0, line={"color": chart.MUTED, "width": 1}, row=2, col=1)
        difference = f"{label}, less that of the model searched and trained anew in each period"
        figure.update_xaxes(title=difference, row=2, col=1)
        figure.update_yaxes(autorange="reversed", ticksuffix="  ", row=2, col=1)
    figure.update_layout(**_layout())
    figure.update_xaxes(automargin=True, gridcolor=chart.GRID, zeroline=False)
    figure.update_yaxes(automargin=True, gridcolor=chart.GRID, zeroline=False)
    for title in figure.layout.annotations:
        title.update(x=0, xanchor="left", font={"size": 14, "color": chart.INK})
    return Chart("backtest", "Backtest", figure, notes=tuple(sentences(content)))


def _layout() -> dict[str, Any]:
    return {
        "template": "plotly_white",
        "autosize": True,
        "height": HEIGHT,
        "margin": {"l": 10, "r": 10, "t": 70, "b": 10},
        "font": {"family": "Arial, Helvetica, sans-serif", "size": 12, "color": chart.INK},
        "legend": {"orientation": "h", "x": 0, "y": 1.08, "yanchor": "bottom"},
        "hoverlabel": {"align": "left"},
    }


def lines_of(content: Mapping[str, Any]) -> list[str]:
    """Scorers that are shown over time: the models, then the best baseline and popularity."""
    means = mean_scores(content)
    baselines = sorted(means.keys() & BASELINES.keys(), key=lambda name: (-means[name], name))
    shown = [*COLORS, *baselines[:1], "popularity"]
    return [name for name in dict.fromkeys(shown) if name in means]


def mean_scores(content: Mapping[str, Any]) -> dict[str, float]:
    """By scorer, the mean over the folds that have it."""
    values: dict[str, list[float]] = {}
    for row in content["scores"]:
        values.setdefault(row["scorer"], []).append(row["value"])
    return {name: sum(found) / len(found) for name, found in values.items()}


def _lines(content: Mapping[str, Any]) -> Iterator[Any]:
    starts = {fold["number"]: fold["from"] for fold in content["folds"]}
    for name in reversed(lines_of(content)):  # what is drawn last is on top
        rows = [row for row in content["scores"] if row["scorer"] == name]
        bars = {}
        if name == MODEL:
            bars["error_y"] = _bars(rows, "value", "low", "high")
        yield go.Scatter(
            x=[starts[row["fold"]] for row in rows],
            y=[row["value"] for row in rows],
            mode="lines+markers",
            name=label_of(name, content["every_seconds"]),
            line={"color": COLORS.get(name, chart.MUTED), "dash": DASHES.get(name, "solid")},
            legendrank=lines_of(content).index(name),
            customdata=[row["num_users"] for row in rows],
            hovertemplate="%{x|%Y-%m-%d}: %{y:.4f} of %{customdata:,} users",
            **bars,
        )


def _bars(rows: Sequence[Mapping[str, Any]], middle: str, low: str, high: str) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [row[high] - row[middle] for row in rows],
        "arrayminus": [row[middle] - row[low] for row in rows],
        "thickness": 1.5,
    }


def _forest(content: Mapping[str, Any], names: Sequence[str]) -> Any:
    """A point with its interval for each comparison; left of zero, less work costs."""
    rows = [
        {
            "value": -content["gains"][name]["difference"],
            "low": -content["gains"][name]["high"],
            "high": -content["gains"][name]["low"],
        }
        for name in names
    ]
    return go.Scatter(
        x=[row["value"] for row in rows],
        y=[label_of(name, content["every_seconds"]) for name in names],
        mode="markers",
        marker={"color": chart.LINE, "size": 9},
        error_x=_bars(rows, "value", "low", "high"),
        customdata=[f"{row['low']:+.4f} to {row['high']:+.4f}" for row in rows],
        hovertemplate="%{y}: %{x:+.4f}, 95 % interval %{customdata}<extra></extra>",
        showlegend=False,
    )
