"""What the plots read of hpo_results.json, and of which format it must be."""

from pathlib import Path
from typing import Any

from pydantic import (
    BaseModel,
    Field,
    FiniteFloat,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from twotower.common.errors import DataError
from twotower.common.files import check_seal, parse_json
from twotower.config.ranges import ParameterSpace
from twotower.plots.front import Choice, Member, Objective
from twotower.search.trial import RESULTS_VERSION, Trial

RENEW = "run dvc repro -f -s hpo to write it again (finished trials are kept)"
WORDED = {"best_trial", "choice", "front", "objectives"}
"""What is told in words of a choice from a front."""


class Numbered(BaseModel):
    """A trial by its number; a confirmed one has its mean over the fresh seeds."""

    number: int
    mean: FiniteFloat | None = None
    value: FiniteFloat | None = None


class _Valued(Numbered):
    """A trial with its values of several objectives; those of one objective are in `value`."""

    values: list[FiniteFloat] | None = None


class _Rung(BaseModel):
    """The trials that went on to more users."""

    trials: list[Numbered]


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
    trials: list[Numbered]
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


class Results(BaseModel):
    """The keys of the results file that the plots read."""

    best_trial: Numbered | None
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
    objectives: list[Objective] = Field(default_factory=list)
    front: list[Member] = Field(default_factory=list)
    choice: Choice = Choice()
    valued: list[_Valued]
    """The trials once more, as Optuna's form of one holds no other objective."""

    @model_validator(mode="before")
    @classmethod
    def _read_twice(cls, raw: Any) -> Any:
        return {**raw, "valued": raw["trials"]} if "trials" in raw else raw

    @property
    def values(self) -> dict[int, list[float]]:
        """Of each completed trial, by number, of several objectives."""
        states = {trial.number: trial.state for trial in self.trials}
        return {
            one.number: one.values or [] for one in self.valued if states[one.number] == "COMPLETE"
        }

    @model_validator(mode="after")
    def _have_all_objectives(self) -> "Results":
        values = self.values
        for where, rows in (
            ("trials", list(values.items()) if self.objectives else []),
            ("front", [(member.number, member.values) for member in self.front]),
        ):
            for number, found in rows:
                if number not in values or len(found) != len(self.objectives):
                    msg = f"{where}: trial {number} lacks its {len(self.objectives)} objectives"
                    raise ValueError(msg)
        return self


def read_results(path: Path) -> Results:
    """The file, if it is whole and of this format.

    Raises:
        DataError: if it is missing, damaged or of another format version.
    """
    try:
        content = parse_json(path.read_text(encoding="utf-8-sig"))
        _check_version(path, content)
        _check_seal(path, content)
        return Results.model_validate(content)
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
