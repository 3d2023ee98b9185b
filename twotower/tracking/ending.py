"""How a search ended, for MLflow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from twotower.common.secrets import mask_credentials


@dataclass(frozen=True)
class Ending:
    """How a search ended.

    Attributes:
        status: of the study's run.
        metrics: numbers about all trials.
        artifacts: files and folders to upload.
        reason: why there are no results.
        best: number of the best trial; None without one.
        params: the hyperparameters that the search has found.
    """

    status: Literal["FINISHED", "FAILED", "KILLED"]
    metrics: Mapping[str, float] = field(default_factory=dict)
    artifacts: Sequence[Path] = ()
    reason: str = ""
    best: int | None = None
    params: Mapping[str, object] = field(default_factory=dict)

    @classmethod
    def with_results(cls, results: Mapping[str, Any], artifacts: Sequence[Path]) -> "Ending":
        """That of a search whose results file has this content."""
        values = {"n_trials": float(results["n_trials"])}
        if (best := results["best_trial"]) is None:
            return cls("FINISHED", values, artifacts)
        values |= {"best_trial": float(best["number"]), "best_value": float(best["value"])}
        values |= best["metrics"]
        params = results["best_params"]
        return cls("FINISHED", values, artifacts, best=best["number"], params=params)

    @classmethod
    def without_results(cls, error: BaseException) -> "Ending":
        """That of a search which an error, or Ctrl-C, has stopped."""
        is_interrupt = isinstance(error, KeyboardInterrupt)
        reason = mask_credentials(str(error)) or type(error).__name__
        return cls("KILLED" if is_interrupt else "FAILED", reason=reason)
