"""The section of the report on the backtest, where one has been run."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from twotower.backtest.chart import draw_backtest, lines_of
from twotower.backtest.periods import length_text, period_text
from twotower.backtest.wording import label_of
from twotower.common.scorers import MODEL
from twotower.plots.chart import Chart


@dataclass(frozen=True)
class PeriodRow:
    """A fold in the table, as text.

    Attributes:
        period: its days.
        users: how many were scored.
        values: of the scorers in the header.
        verdict: of the period, or why there is no model.
    """

    period: str
    users: str
    values: list[str]
    verdict: str


@dataclass(frozen=True)
class BacktestSection:
    """What the section shows.

    Attributes:
        every: length of a period.
        n_trials: of each search.
        scorers: of the columns, by their names for people.
        rows: of the table.
        chart: the plot, whose notes are the answers.
    """

    every: str
    n_trials: int
    scorers: list[str]
    rows: list[PeriodRow]
    chart: Chart


def backtest_section(content: Mapping[str, Any] | None) -> BacktestSection | None:
    """The section; None without a backtest.

    Args:
        content: of backtest.json.
    """
    if content is None:
        return None
    names, every = lines_of(content), content["every_seconds"]
    return BacktestSection(
        length_text(every),
        content["n_trials"],
        [label_of(name, every) for name in names],
        [_row(fold, content, names) for fold in content["folds"]],
        draw_backtest(content),
    )


def _row(fold: Mapping[str, Any], content: Mapping[str, Any], names: list[str]) -> PeriodRow:
    period = period_text(fold["from"], fold["to"])
    if fold["reason"]:
        return PeriodRow(period, "", [""] * len(names), f"left out: {fold['reason']}")
    scores = {row["scorer"]: row for row in content["scores"] if row["fold"] == fold["number"]}
    return PeriodRow(
        period,
        f"{fold['evaluated']['num_users']:,}",
        [_value(scores.get(name), name) for name in names],
        fold["verdict"],
    )


def _value(row: Mapping[str, Any] | None, name: str) -> str:
    if row is None:
        return ""
    ends = f" [{row['low']:.3f}, {row['high']:.3f}]" if name == MODEL else ""
    return f"{row['value']:.3f}{ends}"
