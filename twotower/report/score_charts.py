"""Test scores: the model against every baseline, from validation to test, and by slice."""

from collections.abc import Iterator, Mapping
from typing import Any

import plotly.graph_objects as go

from twotower.assessment.slices import ACTIVITY, POPULARITY
from twotower.common.scorers import MODEL, RANDOM
from twotower.evaluation.metrics import metric_label
from twotower.plots import chart
from twotower.plots.chart import Chart
from twotower.report.figures import BAR, framed
from twotower.report.sources import Sources

SLICES = {
    "user_activity": ("Users by activity", ACTIVITY),
    "item_popularity": ("Items by popularity", POPULARITY),
    "warmth": ("Items with and without training rows", ("warm", "cold")),
}
"""By section of metrics/slices.json: title, and slices in the order in which they are drawn."""


def draw_scores(sources: Sources) -> Chart:
    """A bar for each scorer with its confidence interval, the best on top."""
    title = "Model against baselines"
    if not sources.is_scored:
        return Chart("scores", title, None, sources.why_unscored)
    objective = sources.metrics["verdict"]["objective"]
    scores = scorers(sources)
    values = [score for _, score in scores]
    ends = [sources.metrics["intervals"]["intervals"].get(name, {}).get(objective) for name, _ in
            scores]  # fmt: skip
    spans = [end or [value, value] for end, value in zip(ends, values, strict=True)]
    bars = go.Bar(
        x=values,
        y=[name for name, _ in scores],
        orientation="h",
        marker_color=[chart.BEST if name == MODEL else chart.TRIAL for name, _ in scores],
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [high - value for (_, high), value in zip(spans, values, strict=True)],
            "arrayminus": [value - low for (low, _), value in zip(spans, values, strict=True)],
            "color": chart.INK,
            "thickness": 1.5,
        },
        customdata=[f"{low:.4f} to {high:.4f}" for low, high in spans],
        hovertemplate="%{y}: %{x:.4f}<br>95 % interval: %{customdata}<extra></extra>",
    )
    figure = framed(bars, height=70 + BAR * len(scores))
    figure.update_yaxes(autorange="reversed", ticksuffix="  ")
    figure.update_xaxes(title=f"Test {metric_label(objective)}", rangemode="tozero")
    return Chart("scores", title, figure)


def scorers(sources: Sources) -> list[tuple[str, float]]:
    """Name and test objective of every scorer, the best first; none without test scores."""
    if not sources.is_scored:
        return []
    objective = sources.metrics["verdict"]["objective"]
    sections = sources.metrics["test"].items()
    scores = [
        (name, section[objective])
        for name, section in sections
        if isinstance(section, Mapping) and objective in section
    ]
    return sorted(scores, key=lambda score: (-score[1], score[0]))


def draw_gap(sources: Sources) -> Chart:
    """The winner's scores from the search to the test split, and of each training seed."""
    title = "From validation to test"
    if not sources.is_scored:
        return Chart("gap", title, None, sources.why_unscored)
    gap = sources.metrics["verdict"]["gap"]
    label = metric_label(gap["objective"])
    steps = list(_steps(gap))
    random = gap["test"]["random"]
    names = [name for name, _ in steps]
    figure = framed(
        go.Scatter(
            x=names, y=[values[0] for _, values in steps], mode="lines+markers", name="Model",
            line={"color": chart.LINE}, marker={"size": 11},
            hovertemplate="%{x}: %{y:.4f}<extra></extra>",
        ),
        go.Scatter(
            x=[name for name, values in steps for _ in values[1:]],
            y=[value for _, values in steps for value in values[1:]],
            mode="markers", name="Further training seeds",
            marker={"size": 9, "symbol": "circle-open", "color": chart.BEST, "line_width": 2},
            hovertemplate="%{x}, another seed: %{y:.4f}<extra></extra>",
        ),
        go.Scatter(
            x=names, y=[random] * len(names), mode="lines", name="Random ranking",
            line={"color": chart.MUTED, "dash": "dash"},
            hovertemplate="Random ranking: %{y:.4f}<extra></extra>",
        ),
    )  # fmt: skip
    figure.update_yaxes(title=label, rangemode="tozero")
    return Chart("gap", title, figure)


def _steps(gap: Mapping[str, Any]) -> Iterator[tuple[str, list[float]]]:
    """Each step, and the model's value there before those of further seeds."""
    if gap["validation"]:
        yield "validation", [gap["validation"]["value"]]
    if gap["confirmed"] and gap["confirmed"]["mean"] is not None:
        yield "fresh seeds", [gap["confirmed"]["mean"], *gap["confirmed"]["values"]]
    yield "test", gap["seeds"]["values"]


def draw_slices(sources: Sources) -> list[Chart]:
    """For each way to slice: model, strongest rival and random in every slice."""
    if not sources.is_scored:
        return []
    slices = sources.metrics["slices"]
    rival = slices["compared_with"]
    colors = {MODEL: chart.BEST, rival: chart.TRIAL, RANDOM: chart.MUTED}
    charts = []
    for section, (title, order) in SLICES.items():
        groups = {name: slices[section][name] for name in order if name in slices[section]}
        metric = slices["user_metric" if section == "user_activity" else "item_metric"]
        bars = [
            go.Bar(
                x=[_slice_name(name, group) for name, group in groups.items()],
                y=[group["means"][scorer] for group in groups.values()],
                name=scorer,
                marker_color=color,
                hovertemplate=f"{scorer}: %{{y:.4f}}<extra></extra>",
            )
            for scorer, color in colors.items()
        ]
        figure = framed(*bars, height=320)
        figure.update_yaxes(title=f"Test {metric_label(metric)}", rangemode="tozero")
        charts.append(Chart(f"slice_{section}", title, figure))
    return charts


def _slice_name(name: str, group: Mapping[str, Any]) -> str:
    """The slice, and how much is in it."""
    if rows := group.get("training_rows"):
        return f"{name}<br>{rows[0]}\u2013{rows[1]} rows<br>{group['num_users']:,} users"
    return f"{name}<br>{group['num_items']:,} items<br>{group['num_relevant']:,} to find"
