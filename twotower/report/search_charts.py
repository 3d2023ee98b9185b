"""The search, beyond what the visualize stage draws: each parameter alone, and each epoch."""

from collections.abc import Mapping, Sequence

import numpy as np
import plotly.graph_objects as go
from optuna.distributions import CategoricalDistribution
from optuna.trial import FrozenTrial

from twotower.evaluation.metrics import metric_label
from twotower.plots import chart
from twotower.plots.chart import Chart
from twotower.plots.drawn_search import DrawnSearch
from twotower.report.figures import framed
from twotower.search.trial import Trial

CURVES = "Learning curves"
DECADES = 30
"""Ratio of values beyond which a logarithmic axis names powers of ten, not its ends."""


def draw_parameters(search: DrawnSearch) -> list[Chart]:
    """For each parameter that took several values: the objective of the trials that had it."""
    completed = search.completed
    names = sorted({name for trial in completed for name in trial.params})
    groups = {name: [trial for trial in completed if name in trial.params] for name in names}
    return [
        _draw_parameter(search, name, trials)
        for name, trials in groups.items()
        if len({trial.params[name] for trial in trials}) > 1
    ]


def _draw_parameter(search: DrawnSearch, name: str, trials: Sequence[FrozenTrial]) -> Chart:
    distribution = trials[0].distributions[name]
    values = [trial.params[name] for trial in trials]
    if isinstance(distribution, CategoricalDistribution):
        values = [chart.value_text(value) for value in values]
    dots = go.Scatter(
        x=values,
        y=[trial.value for trial in trials],
        mode="markers",
        marker={
            "size": [14 if trial == search.best else 8 for trial in trials],
            "color": [chart.BEST if trial == search.best else chart.TRIAL for trial in trials],
            "line": {"color": chart.LINE, "width": 1},
        },
        text=[f"Trial {trial.number}: {chart.value_text(trial.value)}" for trial in trials],
        hovertemplate=f"%{{text}}<br>{chart.value_text(name)} = %{{x}}<extra></extra>",
    )
    figure = framed(dots, height=240, showlegend=False)
    if isinstance(distribution, CategoricalDistribution):
        order = [text for choice in distribution.choices
                 if (text := chart.value_text(choice)) in values]  # fmt: skip
        figure.update_xaxes(type="category", categoryorder="array", categoryarray=order)
    elif distribution.log:  # type: ignore[attr-defined]
        low, high = min(values), max(values)
        within = [float(f"{tick:.2g}") for tick in np.geomspace(low, high, 3)]
        ticks = {"dtick": 1} if high > DECADES * low else {"tickvals": within}
        figure.update_xaxes(type="log", exponentformat="none", **ticks)
    figure.update_yaxes(title=metric_label(search.objective), nticks=5)
    return Chart(f"parameter_{name}", name, figure)


def draw_curves(trials: Sequence[Trial], search: DrawnSearch) -> Chart:
    """A line for each trial with several epochs: the objective where it was measured, or the loss.

    Args:
        trials: of the study, with what each epoch measured.
        search: names the objective and the trial that was chosen.
    """
    title, label = CURVES, f"Validation {metric_label(search.objective)}"
    curves = {t.number: dict(t.intermediate) for t in trials if len(t.intermediate) > 1}
    if not curves:
        title, label = f"{CURVES}: not comparable between batch sizes and losses", "Training loss"
        curves = {t.number: dict(enumerate(t.losses, 1)) for t in trials if len(t.losses) > 1}
    if not curves:
        return Chart("curves", CURVES, None, "No trial was trained for more than one epoch.")
    pruned = {trial.number for trial in trials if trial.state == "PRUNED"}
    best = search.best.number if search.best else None
    order = sorted(curves, key=lambda number: (number == best, number))  # the best lies on top
    lines = [
        _curve(number, curves[number], is_best=number == best, is_pruned=number in pruned)
        for number in order
    ]
    figure = framed(*lines, showlegend=False)
    figure.update_xaxes(title="Epoch")
    figure.update_yaxes(title=label)
    return Chart("curves", title, figure)


def _curve(
    number: int, by_epoch: Mapping[int, float], *, is_best: bool, is_pruned: bool
) -> go.Scatter:
    return go.Scatter(
        x=list(by_epoch),
        y=list(by_epoch.values()),
        mode="lines",
        line={
            "color": chart.BEST if is_best else chart.TRIAL,
            "width": 3 if is_best else 1.5,
            "dash": "dot" if is_pruned else "solid",
        },
        hovertemplate=f"Trial {number}{', pruned' if is_pruned else ''}<br>"
        "epoch %{x}: %{y:.4f}<extra></extra>",
    )
