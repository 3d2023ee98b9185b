"""The two files that a search leaves, read back as an in-memory Optuna study."""

import csv
import datetime as dt
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState
from pydantic import BaseModel, Field, FiniteFloat, ValidationError

from twotower.common.errors import DataError
from twotower.common.files import canonical
from twotower.config.ranges import ParameterSpace
from twotower.plots.confirmed import Confirmed

PARAM_PREFIX = "params_"
STATES = {state.name: state for state in (TrialState.COMPLETE, TrialState.FAIL, TrialState.PRUNED)}
EPOCH = dt.datetime(2000, 1, 1)
"""Start and end of every trial (Optuna's have no zone): plots do not show when a search ran."""


@dataclass(frozen=True)
class DrawnSearch:
    """A finished or interrupted search, ready to be drawn."""

    study: optuna.Study
    objective: str
    """Metric key, e.g. recall_at_10."""
    split: str
    """Split that the objective was measured on."""
    num_users: int | None
    """Number of users behind each value of the objective."""
    random: float | None
    """Expected objective of a random ranking under the same masks."""
    best: FrozenTrial | None
    """The trial that was refitted: of the highest value, or the one that fresh seeds chose."""
    confirmed: Confirmed | None
    """What fresh seeds say of `best`; None if they did not choose it."""
    defaults: FrozenTrial | None
    """Trial 0, if it was the configured defaults and completed."""
    finished: bool
    """False if the search stopped before the configured number of trials."""

    @property
    def completed(self) -> list[FrozenTrial]:
        """Trials with a value, by number."""
        return self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))

    def in_state(self, state: TrialState) -> list[FrozenTrial]:
        """Trials in `state`, by number."""
        return self.study.get_trials(deepcopy=False, states=(state,))


class _BestTrial(BaseModel):
    number: int


class _Results(BaseModel):
    """The keys of the results file that the plots read."""

    best_trial: _BestTrial | None
    objective: str
    direction: Literal["maximize", "minimize"]
    search_space: dict[str, ParameterSpace]
    include_defaults: bool
    complete: bool = True
    confirm: Confirmed | None = None
    split: str = "validation"
    num_users: int | None = None
    random: dict[str, FiniteFloat | None] = Field(default_factory=dict)


def read_search(results_file: Path, trials_file: Path) -> DrawnSearch:
    """Rebuild a study from the results and the trials table of one search.

    Raises:
        DataError: if a file is missing or unreadable, or the two do not belong together.
    """
    results = _read_results(results_file)
    distributions = {
        name: optuna.distributions.json_to_distribution(space.model_dump_json())
        for name, space in results.search_space.items()
    }
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction=results.direction)
    for trial in _read_trials(trials_file, distributions):
        study.add_trial(trial)
    trials = study.get_trials(deepcopy=False)
    return DrawnSearch(
        study=study,
        objective=results.objective,
        split=results.split,
        num_users=results.num_users,
        random=results.random.get(results.objective),
        best=_find_best(results.best_trial, trials, results_file, trials_file),
        confirmed=results.confirm,
        defaults=trials[0] if results.include_defaults and _has_value(trials[:1]) else None,
        finished=results.complete,
    )


def _has_value(trials: list[FrozenTrial]) -> bool:
    return any(trial.state == TrialState.COMPLETE for trial in trials)


def _find_best(
    best: _BestTrial | None, trials: list[FrozenTrial], results_file: Path, trials_file: Path
) -> FrozenTrial | None:
    if best is None and not _has_value(trials):
        return None
    for trial in trials:
        if best and trial.number == best.number and trial.state == TrialState.COMPLETE:
            return trial
    named = f"trial {best.number}" if best else "none"
    msg = (
        f"{results_file}: the best trial is {named}, which does not fit {trials_file}; the two "
        "are of different searches: run dvc repro hpo"
    )
    raise DataError(msg)


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        msg = f"{path}: no such file; run dvc repro hpo first (or dvc pull)"
        raise DataError(msg) from None
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: cannot be read: {error}"
        raise DataError(msg) from None


def _read_results(path: Path) -> _Results:
    try:
        return _Results.model_validate(json.loads(_read_text(path)))
    except json.JSONDecodeError as error:
        msg = f"{path}: not valid JSON: {error}"
        raise DataError(msg) from None
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"]) or "the whole file"
        msg = f"{path}: {where}: {problem['msg']}"
        raise DataError(msg) from None


def _read_trials(
    path: Path, distributions: Mapping[str, BaseDistribution]
) -> Iterator[FrozenTrial]:
    reader = csv.DictReader(_read_text(path).splitlines(keepends=True), strict=True)
    try:
        columns = reader.fieldnames or []
        _check_columns(path, columns, distributions)
        for number, row in enumerate(reader):
            try:
                yield _parse_row(number, row, distributions)
            except ValueError as error:
                msg = f"{path}, line {reader.line_num}: {error}"
                raise DataError(msg) from None
    except csv.Error as error:
        msg = f"{path}, line {reader.line_num}: not valid CSV: {error}"
        raise DataError(msg) from None


def _check_columns(
    path: Path, columns: Sequence[str], distributions: Mapping[str, BaseDistribution]
) -> None:
    if missing := [name for name in ("number", "state", "value") if name not in columns]:
        msg = f"{path}: no column {', '.join(missing)} in the header"
        raise DataError(msg)
    params = {name.removeprefix(PARAM_PREFIX) for name in columns if name.startswith(PARAM_PREFIX)}
    if unknown := sorted(params - distributions.keys()):
        msg = (
            f"{path}: column {PARAM_PREFIX}{unknown[0]} is not in the search space of the results "
            "file; the two are of different searches: run dvc repro hpo"
        )
        raise DataError(msg)


def _parse_row(
    number: int, row: Mapping[Any, Any], distributions: Mapping[str, BaseDistribution]
) -> FrozenTrial:
    """One trial of the table.

    Raises:
        ValueError: naming the column and the rule that it breaks.
    """
    if None in row or None in row.values():
        msg = "not as many cells as the header has columns"
        raise ValueError(msg)
    if row["number"] != str(number):
        msg = f"number: must count up from 0, got {row['number']!r} instead of {number}"
        raise ValueError(msg)
    if row["state"] not in STATES:
        msg = f"state: must be one of {', '.join(STATES)}, got {row['state']!r}"
        raise ValueError(msg)
    state = STATES[row["state"]]
    cells = {name: row.get(PARAM_PREFIX + name, "") for name in distributions}
    params = {
        name: _parse_param(name, distributions[name], cell) for name, cell in cells.items() if cell
    }
    return FrozenTrial(
        number=number,
        trial_id=number,
        state=state,
        value=_parse_value(row["value"]) if state == TrialState.COMPLETE else None,
        datetime_start=EPOCH,
        datetime_complete=EPOCH,
        params=params,
        distributions={name: distributions[name] for name in params},
        user_attrs={"failure": row.get("failure", "")},
        system_attrs={},
        intermediate_values={},
    )


def _parse_value(cell: str) -> float:
    value = _to_float(cell)
    if not math.isfinite(value):
        msg = f"value: a complete trial needs a finite number, got {cell!r}"
        raise ValueError(msg)
    return value


def _to_float(cell: str) -> float:
    """The number in a cell, NaN for anything else."""
    try:
        return float(cell)
    except ValueError:
        return math.nan


def _parse_param(name: str, distribution: BaseDistribution, cell: str) -> bool | int | float | str:
    """The value of a cell; a float that was rounded across its bound is put back on it."""
    if isinstance(distribution, CategoricalDistribution):
        # The search space has no null among its choices, which Optuna's type allows.
        choices: dict[str, Any] = {str(canonical(c)): c for c in distribution.choices}
        if cell in choices:
            return cast(bool | int | float | str, choices[cell])
        msg = f"{PARAM_PREFIX}{name}: must be one of {', '.join(choices)}, got {cell!r}"
        raise ValueError(msg)
    low: float = distribution.low  # type: ignore[attr-defined]
    high: float = distribution.high  # type: ignore[attr-defined]
    value = _to_float(cell)
    slack = 1e-6 * max(abs(low), abs(high))
    if not low - slack <= value <= high + slack:
        msg = f"{PARAM_PREFIX}{name}: must be a number from {low:g} to {high:g}, got {cell!r}"
        raise ValueError(msg)
    value = min(max(value, low), high)
    return round(value) if isinstance(distribution, IntDistribution) else value
