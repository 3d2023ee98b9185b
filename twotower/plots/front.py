"""The Pareto front of a search: the trials that no other beats in every objective.

A search of one objective has a front as well, of that objective and of how much of the catalogue
its trials show: what more of the one costs of the other.
"""

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, Field, FiniteFloat

from twotower.common.errors import DataError
from twotower.evaluation.item_groups import assessed_as
from twotower.evaluation.metrics import Direction, metric_label
from twotower.search.front import non_dominated
from twotower.search.trade_off import choice_text, directions_of, trade_off

COMPANION = "coverage_at_"
"""Metric beside the objective of a search that had one; the cut-off follows."""
COLUMN = "metrics_"
"""What precedes the key of a metric in the trials table."""


class Objective(BaseModel):
    """A row of key `objectives` of the results file."""

    metric: str
    direction: Direction


class Member(BaseModel):
    """A trial of the front, with the values that were compared.

    After more users, or fresh seeds, they are not those of the search.
    """

    number: int
    values: list[FiniteFloat]
    allowed: bool = True


class Choice(BaseModel):
    """The rule for choosing from the front: section `hpo.choose`."""

    keep: float | None = None
    limits: dict[str, float] = Field(default_factory=dict)
    weights: dict[str, float] = Field(default_factory=dict)


@dataclass(frozen=True)
class Front:
    """The completed trials by two metrics or more.

    Attributes:
        directions: maximize or minimize, by metric; the (first) objective comes first.
        values: of each completed trial in the search, by number, in the order of the metrics.
        members: the trials of the front, the best in the first metric first.
        random: what a random ranking would have; None: not known.
        sentence: what the chosen trial gives up for what.
        choice: how it was chosen; None: the search had the first metric alone.
        rule: the same in words.
    """

    directions: Mapping[str, Direction]
    values: Mapping[int, Sequence[float]]
    members: Sequence[Member]
    random: Sequence[float] | None
    sentence: str
    choice: Choice | None = None
    rule: str = ""

    @property
    def points(self) -> dict[int, Sequence[float]]:
        """Values of each completed trial; of those on the front, the values compared."""
        return {**self.values, **{member.number: member.values for member in self.members}}

    def sign(self, place: int) -> int:
        """1 of a metric that is maximised, -1 of one that is minimised."""
        return 1 if list(self.directions.values())[place] == "maximize" else -1

    def is_best(self, number: int, place: int) -> bool:
        """Whether a trial has the best value of a metric."""
        gains = {one: self.sign(place) * point[place] for one, point in self.points.items()}
        return gains[number] == max(gains.values())

    def label(self, place: int) -> str:
        """Name of a metric, and what is better if that is not more of it."""
        metric = list(self.directions)[place]
        return metric_label(metric) + (" (lower is better)" if self.sign(place) < 0 else "")


def front_of_objectives(
    results: Mapping[str, Any],
    values: Mapping[int, Sequence[float]],
    members: Sequence[Member],
    random: Mapping[str, float | None],
) -> Front:
    """The front of a search of several objectives.

    Args:
        results: of the results file, what is told in words.
        values: of each completed trial.
        members: the trials on the front.
        random: metrics of a random ranking.
    """
    directions = directions_of(results)
    return Front(
        directions=directions,
        values=values,
        members=members,
        random=_of(random, directions),
        sentence=trade_off(results) or "",
        choice=Choice.model_validate(results["choice"]),
        rule=choice_text(results) or "",
    )


def front_beside(
    objective: str,
    values: Mapping[int, float],
    random: Mapping[str, float | None],
    trials_file: Path,
) -> Front | None:
    """The front of a search of one objective, of that and of Coverage at the same cut-off.

    Args:
        objective: that was maximised.
        values: of each completed trial.
        random: metrics of a random ranking.
        trials_file: metrics/hpo_trials.csv.

    Returns:
        None if a trial has no such Coverage.

    Raises:
        DataError: if the file is missing or cannot be read.
    """
    shown, beside = _companion(objective, trials_file)
    if not values or not values.keys() <= shown.keys():
        return None
    both = {number: (value, shown[number]) for number, value in values.items()}
    is_on = non_dominated(np.array(list(both.values())))
    on_front = [number for number, is_member in zip(both, is_on, strict=True) if is_member]
    members = [
        Member(number=number, values=list(both[number]))
        for number in sorted(on_front, key=lambda number: (-both[number][0], number))
    ]
    best = {"number": members[0].number}
    rows = [{"metric": metric, "direction": "maximize"} for metric in (objective, beside)]
    told = {"objectives": rows, "front": [one.model_dump() for one in members], "best_trial": best}
    directions = directions_of(told)
    return Front(directions, both, members, _of(random, directions), trade_off(told) or "")


def _of(random: Mapping[str, float | None], directions: Iterable[str]) -> list[float] | None:
    found = [random.get(metric) for metric in directions]
    values = [value for value in found if value is not None]
    return values if len(values) == len(found) else None


def _companion(objective: str, trials_file: Path) -> tuple[dict[int, float], str]:
    """Coverage of the trials that have it, by number, and its key.

    Of an objective without a cut-off it is that at the largest one.
    """
    rows = _rows(trials_file)
    _, _, cutoff = assessed_as(objective)[0].partition("_at_")
    prefix = COLUMN + COMPANION
    cutoffs = [name.removeprefix(prefix) for name in (rows[0] if rows else ())]
    largest = max((int(text) for text in cutoffs if text.isdecimal()), default=0)
    key = COMPANION + (cutoff or str(largest))
    try:
        shown = {
            int(row["number"]): float(row[COLUMN + key]) for row in rows if row.get(COLUMN + key)
        }
    except (KeyError, ValueError) as error:
        msg = f"{trials_file}: not the trials of a search ({error}); run dvc repro -f -s hpo"
        raise DataError(msg) from None
    return {number: value for number, value in shown.items() if math.isfinite(value)}, key


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as handle:
            return list(csv.DictReader(handle))
    except FileNotFoundError:
        msg = f"{path}: no such file; run dvc repro hpo or dvc pull first"
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        msg = f"{path}: cannot be read: {error}"
    raise DataError(msg)
