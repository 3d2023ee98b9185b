"""The Pareto front of a search of several objectives: its section of the page."""

from collections.abc import Sequence
from dataclasses import dataclass

from twotower.plots.drawn_search import DrawnSearch


@dataclass(frozen=True)
class FrontRow:
    """A trial of the front in the table, as text."""

    number: int
    values: Sequence[str]
    is_allowed: bool
    is_chosen: bool


@dataclass(frozen=True)
class FrontSection:
    """What the section says beside its chart.

    Attributes:
        sentence: what the chosen trial gives up for what; empty if no trial completed.
        labels: of the objectives.
        rows: the trials of the front, the best in the first objective first.
    """

    sentence: str
    labels: Sequence[str]
    rows: Sequence[FrontRow]


def front_section(search: DrawnSearch) -> FrontSection | None:
    """The section; None if the search had one objective."""
    front, best = search.front, search.best
    if front is None or not search.has_several:
        return None
    return FrontSection(
        sentence=front.sentence,
        labels=[front.label(place) for place in range(len(front.directions))],
        rows=[
            FrontRow(
                one.number,
                [f"{value:.4f}" for value in one.values],
                is_allowed=one.allowed,
                is_chosen=best is not None and one.number == best.number,
            )
            for one in front.members
        ],
    )
