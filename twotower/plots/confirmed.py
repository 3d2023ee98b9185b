"""What fresh seeds say of the trial that they chose, as far as the charts show it."""

from pydantic import BaseModel, FiniteFloat, ValidationInfo, field_validator


class _Trial(BaseModel):
    number: int
    mean: FiniteFloat | None


class Confirmed(BaseModel):
    """The keys of section `confirm` of the results file that the plots read.

    Attributes:
        seeds: fresh seeds that the best few trials were trained again with.
        trials: those trials.
        chosen: number of the one with the highest mean, whatever its value in the search was.
    """

    seeds: int
    trials: list[_Trial]
    chosen: int

    @field_validator("chosen")
    @classmethod
    def _among_the_trials(cls, chosen: int, info: ValidationInfo) -> int:
        if chosen not in [trial.number for trial in info.data.get("trials", [])]:
            msg = f"trial {chosen} is not among the confirmed ones"
            raise ValueError(msg)
        return chosen

    @property
    def mean(self) -> float | None:
        """Objective of the chosen trial over the fresh seeds; None if one of them failed."""
        return next(trial.mean for trial in self.trials if trial.number == self.chosen)
