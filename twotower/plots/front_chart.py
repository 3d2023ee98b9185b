"""The trials by two metrics at a time, with the front of those that no other beats in both."""

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from textwrap import wrap
from typing import Any

import plotly.graph_objects as go

from twotower.evaluation.metrics import metric_label
from twotower.plots import chart
from twotower.plots.chart import Chart
from twotower.plots.drawn_search import DrawnSearch
from twotower.plots.front import Front, Member
from twotower.plots.front_plane import Pair, frame
from twotower.search.trade_off import listed

NAME = "pareto_front"
TITLE = "Pareto front"
MOST_NUMBERED = 15
"""Trials of the front that all get their number beside them."""
WIDTH = 110
"""Characters of a line below the title."""
RANDOM = "Random ranking, expected"


Layer = tuple[go.Scatter, Callable[[Pair], dict[str, Any]]]
"""A trace, and where it is in the plane of two metrics."""


def draw_front(search: DrawnSearch) -> Chart:
    """Every completed trial, the front, what the rule of choice excludes, and the chosen trial.

    Of more than two objectives, a list of their pairs says which two are shown.
    """
    front = search.front
    reason = chart.why_no_history(search) or _why_no_front(search)
    if reason or front is None:
        return Chart(NAME, TITLE, None, reason)
    metrics = list(map(metric_label, front.directions))
    title = f"{TITLE}: {search.split.capitalize()} {listed(metrics)}"
    pairs = [Pair(front, x, y) for y, x in combinations(range(len(metrics)), 2)]
    layers = list(_layers(search, front))
    figure = go.Figure([trace.update(place(pairs[0])) for trace, place in layers])
    together = front.sentence.replace(" %", "\u00a0%").replace(" to ", "\u00a0to\u00a0")
    lines = [*wrap(together, WIDTH), chart.evidence(search)]
    figure.update_layout(chart.layout(title, "<br>".join(lines)))
    figure.update_layout(
        legend={"orientation": "h", "x": 0, "y": -0.17, "yanchor": "top", "xanchor": "left"},
        margin_t=95 + 18 * (len(lines) - 1),
    )
    figure.update_xaxes(gridcolor=chart.GRID, zeroline=False)
    figure.update_yaxes(gridcolor=chart.GRID, zeroline=False)
    figure.update_layout(frame(pairs[0]))
    if len(pairs) > 1:
        figure.update_layout(updatemenus=[_menu(layers, pairs)])
    return Chart(NAME, title, figure, notes=tuple(_notes(search, front)))


def _why_no_front(search: DrawnSearch) -> str:
    label = metric_label(search.objective)
    if search.front is None:
        return (
            f"The table of trials has no Coverage beside {label}, so there is no front to draw. "
            "Name several metrics in hpo.objectives to search one, or run dvc repro -f -s hpo."
        )
    if len(search.completed) == 1:
        return (
            "Only one trial completed, and a front takes at least two. Raise hpo.n_trials and run "
            "dvc repro: finished trials are kept."
        )
    return ""


def _layers(search: DrawnSearch, front: Front) -> Iterator[Layer]:
    """From the bottom: trials, the edge of the front, the front, the defaults, random, the best."""
    best = None if search.best is None else search.best.number
    on_front = {one.number for one in front.members}
    yield _dots(
        search, front, [one.number for one in search.completed if one.number not in on_front]
    )
    edge = {"color": chart.LINE, "width": 2, "shape": "vh"}
    yield (
        go.Scatter(mode="lines", line=edge, hoverinfo="skip", showlegend=False),
        lambda pair: pair.steps(),
    )
    for word, members in (
        ("On the front", [one for one in front.members if one.allowed]),
        ("On the front, excluded by hpo.choose", [one for one in front.members if not one.allowed]),
    ):
        if members:
            yield _members(search, front, word, members, best)
    if search.defaults is not None:
        mark = {"symbol": "diamond-open", "color": chart.INK, "size": 16, "line": {"width": 2}}
        yield _marked(search, front, "Defaults (trial 0)", [search.defaults.number], mark)
    if front.random is not None:
        yield (
            go.Scatter(
                mode="markers",
                name=RANDOM,
                marker={"symbol": "x-thin-open", "color": chart.MUTED, "size": 11},
                hoverinfo="name",
            ),
            lambda pair: pair.random(),
        )
    if best is not None:
        mark = {"symbol": "star", "color": chart.BEST, "size": 18, "line": {"width": 2}}
        yield _marked(search, front, f"{chart.best_label(search)} (trial {best})", [best], mark)


def _dots(search: DrawnSearch, front: Front, numbers: Sequence[int]) -> Layer:
    mark = {"color": chart.TRIAL, "size": 9, "line": {"color": chart.LINE, "width": 1}}
    return _marked(search, front, "Trial", numbers, mark)


def _members(
    search: DrawnSearch, front: Front, name: str, members: Sequence[Member], best: int | None
) -> Layer:
    """Trials of the front with their numbers, or those of its ends where they are many."""
    every = [one.number for one in members]
    ends = {every[0], every[-1], best}
    shown = every if len(every) <= MOST_NUMBERED else [one for one in every if one in ends]
    color = chart.LINE if members[0].allowed else "white"
    mark = {"color": color, "size": 11, "line": {"color": chart.LINE, "width": 2}}
    trace, place = _marked(search, front, name, every, mark)
    trace.update(
        mode="markers+text",
        text=[str(one) if one in shown else "" for one in every],
        textfont={"size": 13, "color": chart.INK},
    )
    return trace, lambda pair: {**place(pair), "textposition": pair.text_position()}


def _marked(
    search: DrawnSearch, front: Front, name: str, numbers: Sequence[int], mark: dict[str, Any]
) -> Layer:
    trace = go.Scatter(
        mode="markers",
        name=name,
        marker=mark,
        hovertext=[_describe(search, front, number) for number in numbers],
        hovertemplate="%{hovertext}<extra></extra>",
    )
    return trace, lambda pair: pair.points(numbers)


def _describe(search: DrawnSearch, front: Front, number: int) -> str:
    """Number, metrics and parameters of a trial, each on a line."""
    values = zip(front.directions, front.points[number], strict=True)
    lines = [f"{metric_label(metric)} {chart.value_text(value)}" for metric, value in values]
    for place, line in enumerate(lines):
        if front.is_best(number, place):
            lines[place] = f"{line}, the best"
    trial = search.study.get_trials(deepcopy=False)[number]
    return "<br>".join([f"<b>Trial {number}</b>", *lines, *chart.parameter_lines(trial)])


def _menu(layers: Sequence[Layer], pairs: Sequence[Pair]) -> dict[str, Any]:
    """A list of the pairs of metrics, of which it shows one."""
    buttons = []
    for pair in pairs:
        places = [place(pair) for _, place in layers]
        moved = {key: [place.get(key) for place in places] for key in ("x", "y", "textposition")}
        label = f"{_short(pair, pair.y)} and {_short(pair, pair.x)}"
        buttons.append({"label": label, "method": "update", "args": [moved, frame(pair)]})
    return {
        "type": "dropdown",
        "buttons": buttons,
        "x": 1,
        "xanchor": "right",
        "y": 1.02,
        "yanchor": "bottom",
        "showactive": True,
    }


def _short(pair: Pair, place: int) -> str:
    return metric_label(list(pair.front.directions)[place])


def _notes(search: DrawnSearch, front: Front) -> Iterator[str]:
    """How to read the chart, and what to do next."""
    away = "; those away from it are on the front by another metric" * (len(front.directions) > 2)
    yield (
        "A trial is on the front if no other one is at least as good in every metric and better in "
        f"one. The line is the edge of what the front beats{away}."
    )
    if front.random is not None:
        values = map(chart.value_text, front.random)
        held = [
            f"{metric_label(metric)} {value}"
            for metric, value in zip(front.directions, values, strict=True)
        ]
        yield f"A random ranking is expected to have {listed(held)}; it may be off the chart."
    if front.rule:
        yield front.rule
    if any(one.values != list(front.values[one.number]) for one in front.members):
        yield (
            "The trials of the front are shown with the values that were compared, after more "
            "training rows or as means over fresh seeds, all others with those of the search."
        )
    if not search.has_several:
        keys = ",".join(front.directions)
        yield (
            f"The search maximised {metric_label(search.objective)} alone, and the front is what "
            f"it came across; to search the front: dvc exp run -S 'hpo.objectives=[{keys}]'"
        )
