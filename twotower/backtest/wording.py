"""What a backtest says, a sentence for each question."""

from collections.abc import Iterator, Mapping
from typing import Any

from twotower.backtest.periods import length_text
from twotower.backtest.scores import AGES, FIRST_SEARCH, NEVER, SCHEDULES, aged, schedule
from twotower.common.scorers import DEFAULT
from twotower.evaluation.metrics import metric_label


def sentences(content: Mapping[str, Any]) -> Iterator[str]:
    """Answers, each with its interval, and last what to keep in mind.

    Args:
        content: of backtest.json.
    """
    gains, every = content["gains"], content["every_seconds"]
    label = metric_label(content["objective"])
    for name, what in _questions(every):
        if name in gains:
            yield f"{what}: {_answer(gains[name], label, content['alpha'])}."
    yield _verdicts(content["verdicts"])
    if not gains:
        return
    level = f"{100 * content['level']:g} %"
    yield (
        f"In brackets: the {level} interval of the difference, each by itself; rows of one user "
        f"count as one. p-values are adjusted for these {len(gains)} comparisons (Holm). What all "
        "users of a period share, such as a season, is in no interval: look at the folds."
    )


def label_of(name: str, every: int) -> str:
    """What a scorer of a backtest is called in tables and charts.

    Args:
        name: of the scorer.
        every: length of a period, in seconds.
    """
    own = {NEVER: "never retrained", FIRST_SEARCH: "searched once", DEFAULT: "default"}
    own |= {aged(age): f"{length_text(age * every)} old" for age in AGES}
    own |= {schedule(n): f"retrained every {length_text(n * every)}" for n in SCHEDULES}
    return own.get(name, name)


def _questions(every: int) -> Iterator[tuple[str, str]]:
    """Scorer, and what is done instead of searching and training anew in each period."""
    for age in AGES:
        yield aged(age), f"A model that is {length_text(age * every)} older"
    for periods in SCHEDULES:
        yield schedule(periods), f"Retraining every {length_text(periods * every)} only"
    yield NEVER, "Never retraining"
    yield FIRST_SEARCH, "Searching once, and retraining with what was found then"
    yield DEFAULT, "Not searching at all, with the defaults of params.yaml"


def _answer(gain: Mapping[str, Any], label: str, alpha: float) -> str:
    """What it costs, or that no difference is shown."""
    if gain["is_same"]:
        return "the same result, user by user, in every period"
    change, low, high = (
        f"{round(-gain[key], 4) + 0.0:+.4f}" for key in ("difference", "high", "low")
    )
    figures = (
        f"{change} {label} [{low}, {high}], "
        f"{gain['without']:.4f} against {gain['mean']:.4f} (p {gain['p_value']:.2g})"
    )
    if gain["p_value"] > alpha:
        return f"no difference is shown, {figures}"
    share = abs(gain["difference"]) / gain["mean"] if gain["mean"] else 0.0
    return f"{'loses' if gain['difference'] > 0 else 'gains'} {share:.0%}, {figures}"


def _verdicts(counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    most_first = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    parts = [f'"{text}" in {count}' for text, count in most_first]
    return f"The verdict, of {total} period{'' if total == 1 else 's'}: {', '.join(parts)}."
