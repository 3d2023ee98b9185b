"""Which parameters make a difference, how certain that is, and what it does not say."""

from collections.abc import Sequence
from itertools import cycle

import plotly.graph_objects as go

from twotower.evaluation.metrics import metric_label
from twotower.plots import chart
from twotower.plots.chart import Chart
from twotower.plots.drawn_search import DrawnSearch
from twotower.plots.importance import RESAMPLES, TREES
from twotower.plots.interpretation import negligible

NAME = "hpo_param_importance"
TITLE = "Parameter importance"
FEW_TRIALS = 50
GUESS = 20
"""Complete trials below which the order of the bars is little better than chance."""
REST = "several together, or chance"


def draw_importance(search: DrawnSearch) -> Chart:
    """A bar with its spread for each parameter; by which method, the number of trials decides.

    Of several objectives each has bars of its own, in the order of the first.
    """
    title = f"{TITLE} for {chart.objectives_label(search)}"
    if reason := chart.why_no_comparison(search) or _why_no_shares(search):
        return Chart(NAME, title, None, reason)
    found = search.importances
    if all(len({weight.share for weight in one.weights}) < 2 for one in found.values()):
        return Chart(NAME, title, None, _nothing_stands_out(search))
    order = [weight.name for weight in next(iter(found.values())).weights]
    colors = cycle([chart.LINE, *chart.FURTHER])
    figure = go.Figure(
        [_bars(search, metric, order, color) for metric, color in zip(found, colors, strict=False)]
    )
    subtitle = chart.evidence(search)
    if len(search.completed) < FEW_TRIALS:
        subtitle += f" · fewer than {FEW_TRIALS} complete: a hint, not a finding"
    figure.update_layout(chart.layout(title, subtitle), showlegend=search.has_several)
    figure.update_xaxes(
        title=_axis_title(search), rangemode="tozero", gridcolor=chart.GRID, zeroline=False,
    )  # fmt: skip
    figure.update_yaxes(
        automargin=True,
        ticks="outside",
        ticklen=8,
        tickcolor="white",
        tickfont={"size": 14},
        autorange="reversed",
    )
    notes = (*_what_it_says(search), *_warnings(search), *negligible(search))
    return Chart(NAME, title, figure, notes=notes)


def _bars(search: DrawnSearch, metric: str, order: Sequence[str], color: str) -> go.Bar:
    """In the given order, then what no parameter explains alone, where that is known."""
    found = search.importances[metric]
    by_name = {weight.name: weight for weight in found.weights}
    weights = [by_name[name] for name in order if name in by_name]
    labels = [chart.parameter_label(search, weight.name) for weight in weights]
    shares = [weight.share for weight in weights]
    several = search.has_several
    colors = [color if several or share == max(shares) else chart.TRIAL for share in shares]
    above: list[float | None] = [weight.high - weight.share for weight in weights]
    below: list[float | None] = [weight.share - weight.low for weight in weights]
    spread = [f"<br>spread {weight.low:.2f} to {weight.high:.2f}" for weight in weights]
    if found.by_variance and weights:
        labels, colors = [*labels, REST], [*colors, color if several else chart.GRID]
        shares = [*shares, max(0.0, 1 - sum(shares))]
        above, below, spread = [*above, None], [*below, None], [*spread, ""]
    return go.Bar(
        x=shares,
        y=labels,
        orientation="h",
        width=None if several else 0.6,
        name=metric_label(metric),
        marker={"color": colors},
        error_x={"array": above, "arrayminus": below, "color": chart.MUTED, "thickness": 1.5},
        customdata=spread,
        hovertemplate="%{y}: %{x:.2f}%{customdata}<extra></extra>",
    )


def _by_variance(search: DrawnSearch) -> bool:
    return all(found.by_variance for found in search.importances.values())


def _warnings(search: DrawnSearch) -> list[str]:
    """What Optuna said, once."""
    heard = (line for found in search.importances.values() for line in found.warnings)
    return list(dict.fromkeys(heard))


def _axis_title(search: DrawnSearch) -> str:
    if _by_variance(search):
        return "Share of the differences between trials that it explains alone (fANOVA)"
    return "Share of importance for being among the best tenth (PED-ANOVA; bars sum to 1)"


def _what_it_says(search: DrawnSearch) -> Sequence[str]:
    """How to read the bars, and what they cannot tell."""
    count = len(search.completed)
    if _by_variance(search):
        bar = (
            f"A bar is the share of the differences between the {count} complete trials that the "
            "parameter explains alone, over the whole range that was searched. Its whisker spans "
            f"the middle 80 % of {TREES} regression trees, each grown on a resample of the trials: "
            "where whiskers overlap, the order of the bars is not settled."
        )
    else:
        bar = (
            f"A bar says how much the best tenth of the {count} complete trials differ from all of "
            f"them in the parameter. Its whisker spans the middle 80 % of {RESAMPLES} resamples of "
            "the trials: where whiskers overlap, the order of the bars is not settled."
        )
    few = (
        [f"With fewer than {GUESS} complete trials the order is little better than a guess: raise "
         "hpo.n_trials, finished trials are kept."]
        if count < GUESS
        else []
    )  # fmt: skip
    limits = (
        "It does not say which values are good, nor what a parameter does outside its range. One "
        "that the sampler hardly varied looks unimportant, and of two that changed together either "
        "may get the credit."
    )
    return [*few, bar, limits]


def _why_no_shares(search: DrawnSearch) -> str:
    names = sorted({name for trial in search.completed for name in trial.params})
    if len(names) > 1:
        return ""
    return (
        f"Only one parameter was searched ({names[0]}), so there is nothing to compare it with. "
        "Add another to hpo.search_space and run dvc repro."
    )


def _nothing_stands_out(search: DrawnSearch) -> str:
    return (
        f"Over {len(search.completed)} completed trials no parameter distinguishes the best ones: "
        "all are equally important. Raise hpo.n_trials and run dvc repro: finished trials are kept."
    )
