"""What a search tells its tracker."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol


@dataclass(frozen=True)
class SearchInfo:
    """The study that the trials belong to."""

    identity: str
    """Digest that is the same whenever the study is resumed or grown."""
    study_name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    """Shown at the search's run, e.g. the sampler and the versions of libraries."""


@dataclass(frozen=True)
class FinishedTrial:
    """A trial that will not change any more."""

    number: int
    state: Literal["COMPLETE", "PRUNED", "FAIL"]
    params: Mapping[str, bool | int | float | str]
    value: float | None
    """The objective; None where the trial has none."""
    metrics: Mapping[str, float]
    """At the end of the trial."""
    epoch_metrics: Sequence[Mapping[str, float]]
    """After each epoch, the first one first; logged as `epoch/<name>`."""
    started_ms: int
    """Milliseconds since 1970, UTC."""
    finished_ms: int
    failure: str | None = None
    """Why the trial failed."""


class Tracker(Protocol):
    """Where finished trials are shown; what it does never changes or stops a search."""

    def trial(self, trial: FinishedTrial) -> None:
        """Show a finished trial; one that is shown already, by its number, is left alone."""

    def close(self, artifacts: Sequence[Path], summary: Mapping[str, float]) -> None:
        """End the search's run with these files and folders, and numbers about all trials."""
