"""Which parameters make a difference, how certain that is, and what it does not say."""

from collections.abc import Sequence

import plotly.graph_objects as go

from twotower.plots import chart
from twotower.plots.chart import Chart
from twotower.plots.drawn_search import DrawnSearch
from twotower.plots.importance import RESAMPLES, TREES, Importance
from twotower.plots.interpretation import negligible

NAME = "hpo_param_importance"
TITLE = "Parameter importance"
FEW_TRIALS = 50
GUESS = 20
"""Complete trials below which the order of the bars is little better than chance."""
REST = "several together, or chance"


def draw_importance(search: DrawnSearch) -> Chart:
    """A bar with its spread for each parameter; by which method, the number of trials decides."""
    title = f"{TITLE} for {chart.objective_label(search)}"
    if reason := chart.why_no_comparison(search) or _why_no_shares(search):
        return Chart(NAME, title, None, reason)
    found = search.importance
    if len({weight.share for weight in found.weights}) < 2:
        return Chart(NAME, title, None, _nothing_stands_out(search))
    figure = go.Figure([_bars(search, found)])
    subtitle = chart.evidence(search)
    if len(search.completed) < FEW_TRIALS:
        subtitle += f" · fewer than {FEW_TRIALS} complete: a hint, not a finding"
    figure.update_layout(chart.layout(title, subtitle), showlegend=False)
    figure.update_xaxes(
        title=_axis_title(found), rangemode="tozero", gridcolor=chart.GRID, zeroline=False,
    )  # fmt: skip
    figure.update_yaxes(
        automargin=True,
        ticks="outside",
        ticklen=8,
        tickcolor="white",
        tickfont={"size": 14},
        autorange="reversed",
    )
    notes = (*_what_it_says(search), *found.warnings, *negligible(search))
    return Chart(NAME, title, figure, notes=notes)


def _bars(search: DrawnSearch, found: Importance) -> go.Bar:
    """The highest first, then what no parameter explains alone, where that is known."""
    weights = found.weights
    labels = [chart.parameter_label(search, weight.name) for weight in weights]
    shares = [weight.share for weight in weights]
    colors = [chart.LINE if share == max(shares) else chart.TRIAL for share in shares]
    above: list[float | None] = [weight.high - weight.share for weight in weights]
    below: list[float | None] = [weight.share - weight.low for weight in weights]
    spread = [f"<br>spread {weight.low:.2f} to {weight.high:.2f}" for weight in weights]
    if found.by_variance:
        labels, colors = [*labels, REST], [*colors, chart.GRID]
        shares = [*shares, max(0.0, 1 - sum(shares))]
        above, below, spread = [*above, None], [*below, None], [*spread, ""]
    return go.Bar(
        x=shares,
        y=labels,
        orientation="h",
        width=0.6,
        marker={"color": colors},
        error_x={"array": above, "arrayminus": below, "color": chart.MUTED, "thickness": 1.5},
        customdata=spread,
        hovertemplate="%{y}: %{x:.2f}%{customdata}<extra></extra>",
    )


def _axis_title(found: Importance) -> str:
    if found.by_variance:
        return "Share of the differences between trials that it explains alone (fANOVA)"
    return "Share of importance for being among the best tenth (PED-ANOVA; bars sum to 1)"


def _what_it_says(search: DrawnSearch) -> Sequence[str]:
    """How to read the bars, and what they cannot tell."""
    count = len(search.completed)
    if search.importance.by_variance:
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
