"""The results of a search, read back as an in-memory Optuna study."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from pydantic import BaseModel, Field, FiniteFloat, ValidationError, ValidationInfo, field_validator

from twotower.common.errors import DataError
from twotower.common.files import check_seal, parse_json
from twotower.config.ranges import ParameterSpace
from twotower.plots.importance import Importance, weigh
from twotower.search.trial import RESULTS_VERSION, Trial, distributions

RENEW = "run dvc repro -f -s hpo to write it again (finished trials are kept)"


class _Numbered(BaseModel):
    """A trial by its number; a confirmed one has its mean over the fresh seeds."""

    number: int
    mean: FiniteFloat | None = None
    value: FiniteFloat | None = None


class _Rung(BaseModel):
    """The trials that went on to more users."""

    trials: list[_Numbered]


class _Sample(BaseModel):
    """The keys of section `sample` of the results file that the plots read."""

    share: float
    rungs: list[_Rung]

    @property
    def has_more(self) -> bool:
        """Whether a trial was completed on more users."""
        return any(run.value is not None for rung in self.rungs for run in rung.trials)


class FreshSeeds(BaseModel):
    """The keys of section `confirm` of the results file that the plots read.

    Attributes:
        seeds: number of fresh seeds that the best few trials were trained again with.
        trials: those trials.
        chosen: number of the one with the highest mean, whatever its value in the search was.
    """

    seeds: int
    trials: list[_Numbered]
    chosen: int

    @field_validator("chosen")
    @classmethod
    def _is_confirmed(cls, chosen: int, info: ValidationInfo) -> int:
        if chosen not in [trial.number for trial in info.data.get("trials", [])]:
            msg = f"trial {chosen} is not among the confirmed ones"
            raise ValueError(msg)
        return chosen

    @property
    def mean(self) -> float | None:
        """Objective of the chosen trial over the fresh seeds; None if one of them failed."""
        return next(trial.mean for trial in self.trials if trial.number == self.chosen)


class _Results(BaseModel):
    """The keys of the results file that the plots read."""

    best_trial: _Numbered | None
    objective: str
    search_space: dict[str, ParameterSpace]
    include_defaults: bool
    trials: list[Trial]
    complete: bool = True
    confirm: FreshSeeds | None = None
    sample: _Sample | None = None
    split: str = "validation"
    num_users: int | None = None
    random: dict[str, FiniteFloat | None] = Field(default_factory=dict)
    advice: list[str] = Field(default_factory=list)


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
    confirmed: FreshSeeds | None
    """The results of `best` on fresh seeds; None if they did not choose it."""
    defaults: FrozenTrial | None
    """Trial 0, if it was the configured defaults and completed."""
    finished: bool
    """False if the search stopped before the configured number of trials."""
    space: dict[str, ParameterSpace]
    """What was searched, by parameter."""
    advice: list[str]
    """What the search advises to try next: ranges whose end won, and presets."""
    share: float = 1.0
    """Of the users that all trials were trained on; the best went on to more."""
    best_on_more: float | None = None
    """Objective of `best` on more users than those; None: it was not run there."""

    @cached_property
    def importance(self) -> Importance:
        """How much each parameter matters."""
        return weigh(self.completed)

    @property
    def completed(self) -> list[FrozenTrial]:
        """Trials with a value, by number."""
        return self.in_state(TrialState.COMPLETE)

    def in_state(self, state: TrialState) -> list[FrozenTrial]:
        """Trials in `state`, by number."""
        return self.study.get_trials(deepcopy=False, states=(state,))


def read_search(results_file: Path) -> DrawnSearch:
    """Rebuild a study from the results of a search.

    Raises:
        DataError: if the file is missing, damaged or of another format version.
    """
    results = _read_results(results_file)
    study = optuna.create_study(direction="maximize")
    space = distributions(results.search_space)
    for number, trial in enumerate(results.trials):
        try:
            if trial.number != number:
                msg = f"expected number {number}, got {trial.number}"
                raise ValueError(msg)
            study.add_trial(trial.to_optuna(space))
        except (KeyError, OverflowError, ValueError) as error:
            unknown = " is not in the search space" if isinstance(error, KeyError) else ""
            why = str(error).rstrip(".") + unknown
            msg = f"{results_file}: trials.{number}: {why}; {RENEW}"
            raise DataError(msg) from None
    trials = study.get_trials(deepcopy=False)
    sample, winner = results.sample, results.best_trial
    return DrawnSearch(
        study=study,
        objective=results.objective,
        split=results.split,
        num_users=results.num_users,
        random=results.random.get(results.objective),
        best=_find_best(results.best_trial, trials, results_file),
        confirmed=results.confirm,
        defaults=trials[0] if results.include_defaults and _has_value(trials[:1]) else None,
        finished=results.complete,
        space=results.search_space,
        advice=results.advice,
        share=sample.share if sample else 1.0,
        best_on_more=winner.value if winner and sample and sample.has_more else None,
    )


def _has_value(trials: list[FrozenTrial]) -> bool:
    return any(trial.state == TrialState.COMPLETE for trial in trials)


def _find_best(
    best: _Numbered | None, trials: list[FrozenTrial], results_file: Path
) -> FrozenTrial | None:
    if best is None and not _has_value(trials):
        return None
    for trial in trials:
        if best and trial.number == best.number and trial.state == TrialState.COMPLETE:
            return trial
    number = best.number if best else None
    msg = f"{results_file}: best_trial: {number} is not a complete trial; {RENEW}"
    raise DataError(msg)


def _read_results(path: Path) -> _Results:
    try:
        content = parse_json(path.read_text(encoding="utf-8-sig"))
        _check_version(path, content)
        _check_seal(path, content)
        return _Results.model_validate(content)
    except FileNotFoundError:
        msg = f"{path}: no such file; run dvc repro hpo or dvc pull first"
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"]) or "the whole file"
        msg = f"{path}: {where}: {problem['msg']}; {RENEW}"
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: cannot be read: {error}"
    except ValueError as error:
        msg = f"{path}: not valid JSON: {error}"
    raise DataError(msg)


def _check_seal(path: Path, content: Any) -> None:
    try:
        check_seal(content)
    except (TypeError, ValueError) as error:
        msg = f"{path}: {error}; {RENEW}"
        raise DataError(msg) from None


def _check_version(path: Path, content: Any) -> None:
    version = content.get("format_version", 1) if isinstance(content, dict) else RESULTS_VERSION
    if version != RESULTS_VERSION:
        msg = f"{path}: format version {version}, but {RESULTS_VERSION} is needed; {RENEW}"
        raise DataError(msg)
