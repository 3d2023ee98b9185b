"""The objective from trial to trial."""

import math
from itertools import accumulate
from typing import Any

import plotly.graph_objects as go
from optuna.trial import FrozenTrial, TrialState

from twotower.evaluation.metrics import metric_label
from twotower.plots import chart
from twotower.plots.chart import Chart
from twotower.plots.drawn_search import DrawnSearch
from twotower.plots.history_panels import add_panels

NAME = "hpo_history"
TITLE = "Search history"
MAX_TICKS = 20


def draw_history(search: DrawnSearch, verdict: str = "") -> Chart:
    """Value of every trial, the best so far, the defaults, and the random baseline.

    Of several objectives each has a panel of its own.

    Args:
        search: at least one complete trial, or the chart says why there is no figure.
        verdict: on the refitted model, from the test split; empty: none.
    """
    title = f"{TITLE}: {chart.objectives_label(search)} by trial"
    if reason := chart.why_no_history(search):
        return Chart(NAME, title, None, reason)
    label = chart.objective_label(search)
    figure = _trials_and_best(search, title, label)
    evidence = chart.evidence(search)
    if verdict:
        evidence += f"<br>Verdict on the refitted model (test split): {verdict}"
    figure.update_layout(chart.layout(title, evidence))
    if verdict:
        figure.update_layout(margin_t=115)
    _add_random(figure, search)
    _add_unfinished(figure, search)
    _add_marks(figure, search)
    _set_axes(figure, search)
    if search.front is not None and search.has_several:
        add_panels(figure, search, search.front)
    return Chart(NAME, title, figure)


def _trials_and_best(search: DrawnSearch, title: str, label: str) -> Any:
    """A marker for each trial with a value, and a line of the best so far."""
    trials = search.study.get_trials(deepcopy=False)
    values = [one.value if one.state == TrialState.COMPLETE else None for one in trials]
    done, best = (
        search.completed,
        list(accumulate((-math.inf if one is None else one for one in values), max)),
    )
    figure = go.Figure(
        [
            go.Scatter(
                x=[one.number for one in done], y=[one.value for one in done],
                mode="markers", name="Trial",
            ),
            go.Scatter(
                x=[one.number for one in trials], y=best, mode="lines", name="Best so far"
            ),
        ],
        {"title": title, "xaxis": {"title": "Trial number"}, "yaxis": {"title": label}},
    )  # fmt: skip
    figure.data[0].update(
        marker={"color": chart.TRIAL, "size": 9, "line": {"color": chart.LINE, "width": 1}},
        text=[_describe(trial) for trial in done],
        hovertemplate="%{text}<extra></extra>",
    )
    figure.data[1].update(line={"color": chart.LINE, "width": 2, "shape": "hv"}, hoverinfo="skip")
    return figure


def _describe(trial: FrozenTrial) -> str:
    """Number, value and parameters of a trial, each on a line."""
    lines = [f"<b>Trial {trial.number}</b>"]
    if trial.state == TrialState.COMPLETE:
        lines[0] += f": {chart.value_text(trial.value)}"
    return "<br>".join([*lines, *chart.parameter_lines(trial)])


def _num_trials(search: DrawnSearch) -> int:
    return len(search.study.get_trials(deepcopy=False))


def _trial_range(count: int) -> list[float]:
    """Ends of the trial axis, with room for the first and the last marker."""
    pad = max(0.6, 0.02 * count)
    return [-pad, count - 1 + pad]


def _add_random(figure: Any, search: DrawnSearch) -> None:
    if search.random is None:
        return
    of_one = "" if search.has_several else f" ({chart.value_text(search.random)})"
    figure.add_trace(
        go.Scatter(
            x=_trial_range(_num_trials(search)),
            y=[search.random, search.random],
            mode="lines",
            name="Random ranking, expected" + of_one,
            line={"color": chart.MUTED, "width": 1.5, "dash": "dash"},
            hoverinfo="skip",
        )
    )


def _value_range(search: DrawnSearch) -> tuple[float, float]:
    """Lowest and highest value in the chart, apart from the markers of trials without a value."""
    values = [float(trial.value) for trial in search.completed if trial.value is not None]
    if search.random is not None:
        values.append(search.random)
    low, high = min(values), max(values)
    return (
        (low, high) if low < high else (low - 0.5 * abs(low) - 0.01, high + 0.5 * abs(low) + 0.01)
    )


def _rail(search: DrawnSearch) -> float:
    """Height of the markers of trials without a value: below everything else."""
    low, high = _value_range(search)
    return low - 0.12 * (high - low)


def _add_unfinished(figure: Any, search: DrawnSearch) -> None:
    for state, word, symbol in (
        (TrialState.FAIL, "Failed", "x"),
        (TrialState.PRUNED, "Pruned", "line-ns-open"),
    ):
        trials = search.in_state(state)
        if not trials:
            continue
        figure.add_trace(
            go.Scatter(
                x=[trial.number for trial in trials],
                y=[_rail(search)] * len(trials),
                mode="markers",
                name=f"{word} (no value)",
                marker={"color": chart.PROBLEM, "size": 10, "symbol": symbol},
                text=[_describe_unfinished(trial, word.lower()) for trial in trials],
                hovertemplate="%{text}<extra></extra>",
            )
        )


def _describe_unfinished(trial: FrozenTrial, word: str) -> str:
    failure = trial.user_attrs["failure"]
    cause = f"{word}: {chart.value_text(failure)}" if failure else word
    head, *params = _describe(trial).split("<br>")
    return "<br>".join([f"{head} {cause}", *params])


def _add_marks(figure: Any, search: DrawnSearch) -> None:
    """Mark the defaults and the best trial, and describe the best one beside the plot."""
    if search.defaults is not None:
        figure.add_trace(
            _mark(search.defaults, "Defaults (trial 0)", "diamond-open", chart.INK, 14)
        )
    best = search.best
    if best is None:
        return
    name = f"{chart.best_label(search)} (trial {best.number})"
    figure.add_trace(_mark(best, name, "star", chart.BEST, 17))
    figure.add_annotation(
        x=1.015, y=1, xref="paper", yref="paper", xanchor="left", yanchor="top",
        align="left", showarrow=False, text=_best_text(search, best),
        bordercolor=chart.GRID, borderwidth=1, borderpad=10, bgcolor="#fff8f0",
    )  # fmt: skip
    widest = max(len(line) for line in _best_text(search, best).split("<br>"))
    figure.update_layout(margin_r=50 + 7.5 * widest)


def _mark(trial: FrozenTrial, name: str, symbol: str, color: str, size: int) -> Any:
    return go.Scatter(
        x=[trial.number],
        y=[trial.value],
        mode="markers",
        name=name,
        marker={"color": color, "size": size, "symbol": symbol, "line": {"width": 2}},
        text=[_describe(trial)],
        hovertemplate="%{text}<extra></extra>",
    )


def _best_text(search: DrawnSearch, best: FrozenTrial) -> str:
    word = "Chosen" if search.confirmed or search.has_several else "Best"
    values = [
        f"{metric_label(metric)} {chart.value_text(value)}"
        for metric, value in search.values_of(best).items()
    ]
    if search.best_on_more is not None:
        values.append(f"trained on more users: {chart.value_text(search.best_on_more)}")
    if search.confirmed:
        mean = search.confirmed.mean
        fresh = "failed" if mean is None else f"mean {chart.value_text(mean)}"
        values.append(f"{search.confirmed.seeds} fresh seeds: {fresh}")
    return "<br>".join(
        [f"<b>{word}: trial {best.number}</b>", *values, *chart.parameter_lines(best)]
    )


def _set_axes(figure: Any, search: DrawnSearch) -> None:
    count = _num_trials(search)
    low, high = _value_range(search)
    unfinished = count > len(search.completed)
    pad = 0.08 * (high - low)
    step = max(1, math.ceil(count / MAX_TICKS))
    figure.update_xaxes(
        range=_trial_range(count), tick0=0,
        dtick=step if step < 3 else 5 * math.ceil(step / 5), showgrid=False, zeroline=False,
    )  # fmt: skip
    figure.update_yaxes(
        range=[(_rail(search) if unfinished else low) - pad, high + pad],
        gridcolor=chart.GRID, zeroline=False,
    )  # fmt: skip
    figure.update_layout(
        legend={"orientation": "h", "x": 0, "y": -0.2, "yanchor": "top", "xanchor": "left"}
    )
