"""What the chosen trial of a Pareto front gives up for what, and why it was chosen, in words.

Console, plots and report say the same, by the content of hpo_results.json; nothing here imports
torch or plotly.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from twotower.evaluation.metrics import Direction, metric_label

Directions = Mapping[str, Direction]
"""Which way each metric gets better; the first objective first."""
FIRM = ("gives up", "accepts", "has")
WOULD = ("would give up", "would accept", "would have")
"""Of a trial that was not chosen."""


def directions_of(results: Mapping[str, Any]) -> dict[str, Direction]:
    """The direction of every objective; empty if the search had one."""
    return {one["metric"]: one["direction"] for one in results.get("objectives") or ()}


def trade_off(results: Mapping[str, Any]) -> str | None:
    """A sentence: what the chosen trial gives up of the first objective, and for what.

    Args:
        results: content of hpo_results.json.

    Returns:
        None if the search had one objective, or no trial completed.
    """
    directions, front = directions_of(results), results.get("front")
    if not directions or not front or not results["best_trial"]:
        return None
    values = {row["number"]: row["values"] for row in front}
    leader, chosen = front[0]["number"], results["best_trial"]["number"]
    if all(row == values[leader] for row in values.values()):
        held = listed(list(map(_held, directions, values[leader])))
        return f"Trial {chosen} has the best of each: {held}"
    if values[chosen] != values[leader]:
        return exchange(chosen, directions, values[leader], values[chosen])
    other = _far_end(directions, values, leader)
    instead = exchange(other, directions, values[leader], values[other], WOULD)
    first = next(iter(directions))
    return f"Trial {chosen} has the best {metric_label(first)}; {instead[0].lower()}{instead[1:]}"


def _held(metric: str, value: float) -> str:
    return f"{metric_label(metric)} {value:.4g}"


def _far_end(directions: Directions, values: Mapping[int, Sequence[float]], leader: int) -> int:
    """The trial with the best second objective; of equal ones, the best in the first.

    If that is the leader, or as good, the third objective decides, and so on.
    """
    signs = [1 if direction == "maximize" else -1 for direction in directions.values()]
    ends = (
        max(values, key=lambda number: (signs[place] * values[number][place], values[number][0]))
        for place in range(1, len(signs))
    )
    return next(number for number in ends if values[number] != values[leader])


def exchange(
    number: int,
    directions: Directions,
    before: Sequence[float],
    after: Sequence[float],
    verbs: tuple[str, str, str] = FIRM,
) -> str:
    """What a trial has less of than another one, and what more, without a full stop.

    Args:
        number: of the trial.
        directions: of the objectives.
        before: of each, the value of the other trial.
        after: and of this one; at least one differs.
        verbs: for what it has less of, for what it has too much of, and for what is better alone.
    """
    gives, accepts, has = verbs
    less, more, better = [], [], []
    for (metric, direction), old, new in zip(directions.items(), before, after, strict=True):
        if new == old:
            continue
        if (new > old) == (direction == "maximize"):
            better.append(_change(metric, old, new))
        elif direction == "maximize":
            less.append(f"{_percent(old, new)} of {metric_label(metric)}{_span(old, new)}")
        else:
            more.append(_change(metric, old, new))
    gained = listed(better)
    worse = [f"{verb} {listed(what)}" for verb, what in ((gives, less), (accepts, more)) if what]
    if not worse:
        return f"Trial {number} {has} {gained}"
    return f"Trial {number} {listed(worse)}" + (f" for {gained}" if gained else "")


def _change(metric: str, old: float, new: float) -> str:
    """As 48 % more Coverage@10 (0.41 to 0.61)."""
    share = f"{_percent(old, new)} " if old else ""
    more = "more" if new > old else "less"
    return f"{share}{more} {metric_label(metric)}{_span(old, new)}"


def _percent(old: float, new: float) -> str:
    """Two digits, or as many as there are before the point."""
    percent = 100 * abs(new - old) / abs(old) if old else 100.0
    if percent < 0.05:
        return "under 0.1 %"
    return f"{percent:.1f} %" if percent < 9.95 else f"{percent:,.0f} %"


def _span(old: float, new: float) -> str:
    return f" ({old:.4g} to {new:.4g})"


def choice_text(results: Mapping[str, Any]) -> str | None:
    """The rule by which a trial of the front is chosen, in a sentence.

    Args:
        results: content of hpo_results.json.

    Returns:
        None if the search had one objective.
    """
    directions = directions_of(results)
    if not directions:
        return None
    choice = results["choice"]
    bounds = listed(list(_bounds(directions, choice["keep"], choice["limits"])))
    which = f" that have {bounds}" if bounds else ""
    return (
        f"Among the trials of the front{which}, the chosen one has "
        f"{_wanted(directions, choice['weights'])}; of equal ones, it is that of the lower number."
    )


def _bounds(
    directions: Directions, keep: float | None, limits: Mapping[str, float]
) -> Iterator[str]:
    """As a Coverage@10 of at least 0.3."""
    if keep is not None:
        yield f"at least {100 * keep:g} % of its best {metric_label(next(iter(directions)))}"
    for metric, direction in directions.items():
        if metric in limits:
            end = "least" if direction == "maximize" else "most"
            yield f"a {metric_label(metric)} of at {end} {limits[metric]:g}"


def _wanted(directions: Directions, weights: Mapping[str, float]) -> str:
    """What is highest in the chosen trial."""
    used = {metric: weights.get(metric, 0.0) if weights else 1.0 for metric in directions}
    parts = [
        metric_label(metric) if weight == 1 else f"{weight:g} times {metric_label(metric)}"
        for metric, weight in used.items()
        if weight
    ]
    if len(parts) == 1:
        return f"the best {metric_label(max(used, key=lambda metric: used[metric]))}"
    return (
        f"the highest sum of {listed(parts)}, each scaled from 0 (its worst on the front) to 1 "
        "(its best)"
    )


def listed(parts: Sequence[str]) -> str:
    """The parts as a list in a sentence: a, b and c."""
    *most, last = parts or [""]
    return f"{', '.join(most)} and {last}" if most else last
