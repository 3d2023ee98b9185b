"""What a search tells its tracker."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from twotower.search.trial import State


@dataclass(frozen=True)
class TrackedDataset:
    """A file that a search reads, as MLflow's data sets name it.

    Attributes:
        name: of the split.
        digest: hexadecimal, of the content; at most 36 characters.
        context: what it is for, e.g. training.
        source: path of the file from the root of the repository.
        num_rows: None if unknown.
    """

    name: str
    digest: str
    context: str
    source: str
    num_rows: int | None = None


@dataclass(frozen=True)
class SearchInfo:
    """The study that the trials belong to."""

    key: str
    """The same whenever the study is resumed or grown, in any clone and on any machine."""
    study_name: str
    params: Mapping[str, str] = field(default_factory=dict)
    """What the study's identity consists of, by dotted name; it never changes."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """Shown at the search's run: the identity of data and code."""
    datasets: Sequence[TrackedDataset] = ()


@dataclass(frozen=True)
class FinishedTrial:
    """A trial that will not change any more."""

    number: int
    state: State
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

    def abort(self, reason: str, *, interrupted: bool = False) -> None:
        """End the run of a search that ended without a result."""
