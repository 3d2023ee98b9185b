"""What a method is given, and what it has to do."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from scipy.sparse import csr_array

from twotower.baselines.histories import histories
from twotower.data.interactions import Interactions
from twotower.data.prepared import Catalogue
from twotower.evaluation.ranking import Scorer

Setting = Mapping[str, Any]
"""A point of a grid: hyperparameters by name."""
GetScorer = Callable[[], Scorer]
"""Makes a scorer of the state in which training is now; valid until training goes on."""
OnPass = Callable[[int, GetScorer], None]
"""Called after each pass over the data with its number, from 1; may raise StopTraining."""


class StopTraining(Exception):  # noqa: N818 - no error, like StopIteration
    """Raised by an OnPass that has seen enough."""


@dataclass(frozen=True)
class Problem:
    """Rows to fit a method on, and the means to do it.

    Attributes:
        catalogue: all users and items that are to be scored.
        interactions: at least one row, all within the catalogue.
        seed: of every random choice.
        threads: that a method may use.
    """

    catalogue: Catalogue
    interactions: Interactions
    seed: int
    threads: int

    @property
    def num_users(self) -> int:
        """Users of the catalogue."""
        return len(self.catalogue.users)

    @property
    def num_items(self) -> int:
        """Items of the catalogue."""
        return len(self.catalogue.items)

    def histories(self) -> csr_array:
        """[num_users, num_items] float32: 1 where a user has interacted with an item."""
        return histories(self.interactions, self.num_users, self.num_items)


Fit = Callable[[Problem, Any, Setting, OnPass], Scorer]
"""Trains on what `load` returned and returns the final state; a closed form calls no OnPass."""


@dataclass(frozen=True)
class Method:
    """A competitor.

    Attributes:
        name: in tables, files and `--only`.
        grid: settings that are tried on validation; GRID_SIZE of them, or one with nothing to set.
        fit: see Fit.
        load: turns a problem into the method's own format, once and without the clock.
        obstacle: why it cannot run on a problem; empty if it can.
        timed_grid: takes the place of `grid` where rows have times, of a method that can weigh what
            a user did last; as large.
    """

    name: str
    grid: tuple[Setting, ...]
    fit: Fit
    load: Callable[[Problem], Any] = lambda _: None
    obstacle: Callable[[Problem], str] = lambda _: ""
    timed_grid: tuple[Setting, ...] = ()

    def settings(self, problem: Problem) -> tuple[Setting, ...]:
        """The grid for this problem."""
        timed = bool(self.timed_grid) and problem.interactions.has_times
        return self.timed_grid if timed else self.grid
