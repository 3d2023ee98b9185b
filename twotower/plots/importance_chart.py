"""Which parameters distinguish the best trials from the rest."""

import warnings
from typing import Any

from optuna.visualization import plot_param_importances

from twotower.plots import chart
from twotower.plots.chart import Chart
from twotower.plots.drawn_search import DrawnSearch

NAME = "hpo_param_importance"
TITLE = "Parameter importance"
FEW_TRIALS = 50
"""PED-ANOVA looks at the best tenth, and Optuna advises at least 5 trials in it."""


def draw_importance(search: DrawnSearch) -> Chart:
    """Importance of each parameter for being among the best tenth of the trials (PED-ANOVA)."""
    title = f"{TITLE} for {chart.objective_label(search)}"
    if reason := chart.why_no_comparison(search) or _why_no_shares(search):
        return Chart(NAME, title, None, reason)
    with warnings.catch_warnings():
        # Optuna warns of few trials on standard error; our subtitle says so on the page.
        warnings.simplefilter("ignore", UserWarning)
        figure = plot_param_importances(search.study)
    _order(figure.data[0])
    shares = figure.data[0].x
    if len(set(shares)) == 1:
        return Chart(NAME, title, None, _nothing_stands_out(search))
    subtitle = chart.evidence(search)
    if len(search.completed) < FEW_TRIALS:
        subtitle += f" · fewer than {FEW_TRIALS} complete: a hint, not a finding"
    figure.update_layout(chart.layout(title, subtitle))
    figure.update_traces(
        marker_color=[chart.LINE if share == max(shares) else chart.TRIAL for share in shares],
        textfont={"size": 14, "color": chart.INK},
        hovertemplate="%{y}: %{x:.4f}<extra></extra>",
        width=0.6,
    )
    figure.update_xaxes(
        title="Share of importance (PED-ANOVA, best 10 % against all; bars sum to 1)",
        range=[0, 1.1 * max(shares)],
        gridcolor=chart.GRID,
        zeroline=False,
    )
    figure.update_yaxes(title=None, automargin=True, ticksuffix="  ", tickfont={"size": 14})
    return Chart(NAME, title, figure)


def _order(bars: Any) -> None:
    """Equal bars by name: Optuna's order of them changes from process to process."""
    places = sorted(range(len(bars.y)), key=lambda place: bars.y[place], reverse=True)
    places.sort(key=lambda place: bars.x[place])
    for name in ("x", "y", "text"):
        bars[name] = [bars[name][place] for place in places]


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
