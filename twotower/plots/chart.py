"""What the charts share: their type, layout and wording."""

import html
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from twotower.common.bounded import shortened
from twotower.evaluation.metrics import metric_label
from twotower.plots.drawn_search import DrawnSearch
from twotower.search.trade_off import listed

INK = "#1f2933"
MUTED = "#6b7785"
GRID = "#e6eaee"
TRIAL = "#7aa6d6"
LINE = "#1f4e8c"
BEST = "#d9730d"
PROBLEM = "#b3261e"
FURTHER = ["#2a8c82", "#8458a8", MUTED]
"""Of the second objective and those after it, where LINE is of the first."""
SCALE = ["#d5dfea", "#7aa6d6", "#1f4e8c", "#0b2447"]
"""From the worst to the best value; its light end still shows on white."""

MAX_TEXT = 24


@dataclass(frozen=True)
class Chart:
    """A figure, or the reason why there is none."""

    name: str
    """File name without its extension; also the id of the figure in its page."""
    title: str
    figure: Any | None
    """plotly.graph_objects.Figure, or None if there is nothing to draw."""
    reason: str = ""
    """One plain sentence or two for the page of a chart without a figure."""
    notes: tuple[str, ...] = ()
    """Plain sentences below the figure: how to read it, and what to try next."""


def objective_label(search: DrawnSearch) -> str:
    """Axis title of the (first) objective, e.g. Validation Recall@10."""
    return f"{search.split.capitalize()} {metric_label(search.objective)}"


def objectives_label(search: DrawnSearch) -> str:
    """All objectives, e.g. Validation Recall@10 and Coverage@10."""
    return f"{search.split.capitalize()} {listed(list(map(metric_label, search.directions)))}"


def value_text(value: Any) -> str:
    """A parameter or metric value for a label: 4 digits, short, safe in plotly's pseudo-HTML."""
    if isinstance(value, float):
        return f"{value:.4g}"
    return html.escape(shortened(str(value), MAX_TEXT))


def condition_text(search: DrawnSearch, name: str) -> str:
    """What a parameter needs to be searched, e.g. if init = ridge; empty if it always is."""
    conditions = search.space[name].only_if.items()
    parts = [f"{value_text(k)} = {' or '.join(map(value_text, v))}" for k, v in conditions]
    return f"if {' and '.join(parts)}" if parts else ""


def parameter_label(search: DrawnSearch, name: str) -> str:
    """Name of a parameter, with its condition on a line of its own."""
    condition = condition_text(search, name)
    return value_text(name) + (f"<br><sub>{condition}</sub>" if condition else "")


def parameter_lines(trial: FrozenTrial) -> list[str]:
    """A line for each hyperparameter of a trial, in alphabetical order."""
    given = sorted(trial.params.items())
    return [f"{html.escape(name)} = {value_text(value)}" for name, value in given]


def best_label(search: DrawnSearch) -> str:
    """Name of the refitted trial: fresh seeds, or a rule, may choose another than the highest."""
    if search.has_several:
        return "Chosen"
    return "Chosen by fresh seeds" if search.confirmed else "Best"


def plural(count: int, noun: str) -> str:
    """Count and noun, e.g. 1 trial, 1,200 users."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def evidence(search: DrawnSearch) -> str:
    """The evidence behind a chart, in one line: split, users and trials."""
    counts = [
        f"{len(trials)} {word}"
        for word, state in (
            ("complete", TrialState.COMPLETE),
            ("failed", TrialState.FAIL),
            ("pruned", TrialState.PRUNED),
        )
        if (trials := search.in_state(state))
    ]
    total = plural(len(search.study.get_trials(deepcopy=False)), "trial")
    users = f", {plural(search.num_users, 'user')}" if search.num_users else ""
    if search.share < 1:
        users += f" (trained on a sample of {search.share:.1%} of all)"
    all_complete = len(search.completed) == len(search.study.get_trials(deepcopy=False))
    parts = [
        f"{search.split} split{users}",
        total if all_complete else f"{total}: {', '.join(counts)}",
    ]
    if not search.finished:
        parts.append("stopped early, rerun to resume")
    return " · ".join(parts)


def layout(title: str, subtitle: str) -> dict[str, Any]:
    """Layout of every chart: white, full width, title on the left above its evidence."""
    return {
        "template": "plotly_white",
        "autosize": True,
        "title": {
            "text": title,
            "subtitle": {"text": subtitle, "font": {"size": 13, "color": MUTED}},
            "x": 0,
            "xref": "paper",
            "xanchor": "left",
            "y": 0.965,
            "yref": "container",
            "yanchor": "top",
            "font": {"size": 20, "color": INK},
        },
        "font": {"family": "Arial, Helvetica, sans-serif", "size": 13, "color": INK},
        "margin": {"l": 80, "r": 40, "t": 95, "b": 65},
        "hoverlabel": {"align": "left"},
    }


def why_no_history(search: DrawnSearch) -> str:
    """Why there is no trial to draw; empty if there is one."""
    trials = search.study.get_trials(deepcopy=False)
    if not trials:
        return (
            "The search has no trials: the data has no validation split, or the search was stopped "
            "before its first trial ended. Set split.validation above 0 and run dvc repro."
        )
    if search.completed:
        return ""
    failed = search.in_state(TrialState.FAIL)
    first = next((text for trial in failed if (text := trial.user_attrs["failure"])), "")
    return (
        f"None of the {plural(len(trials), 'trial')} completed ({len(failed)} failed, "
        f"{len(trials) - len(failed)} pruned)."
        + (f" The first failure: {first.rstrip('.')}." if first else "")
        + " See metrics/hpo_trials.csv, fix the cause or narrow hpo.search_space, and run "
        "dvc repro."
    )


def why_no_comparison(search: DrawnSearch) -> str:
    """Why trials cannot be compared with each other; empty if they can."""
    if reason := why_no_history(search):
        return reason
    completed = search.completed
    if len(completed) == 1:
        return (
            "Only one trial completed, and comparing parameters takes at least two. "
            "Raise hpo.n_trials and run dvc repro: finished trials are kept."
        )
    if len({trial.value for trial in completed}) == 1:
        return (
            f"All {len(completed)} completed trials have the same {metric_label(search.objective)} "
            f"({value_text(completed[0].value)}), so no parameter makes a difference. "
            "Widen hpo.search_space, or choose a finer hpo.objective."
        )
    if not any(trial.params for trial in completed):
        return "No completed trial has a parameter of the search space, so nothing was searched."
    return ""
