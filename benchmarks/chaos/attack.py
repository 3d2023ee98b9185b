"""What an attack is, and what comes of it."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.chaos.workshop import Workshop


@dataclass(frozen=True)
class Outcome:
    """How one attack ended.

    Attributes:
        kills: processes killed, files damaged, servers stopped: what was done to the run.
        note: one word or line of how it ended; the table counts equal ones.
        broken: what promise was broken, with enough to reproduce it; None: all held.
    """

    kills: int
    note: str
    broken: str | None = None


@dataclass(frozen=True)
class Attack:
    """A way to disturb a run; a row of `ATTACKS` of a module of this package.

    Attributes:
        name: unique among all modules.
        what: is attacked, in a line for the table.
        run: attacks copies of the workshop once; raises NotPossible where this machine cannot. Any
            other exception is a broken promise too (`insist` raises one).
        weight: its share of `--times`; it runs at least once.
    """

    name: str
    what: str
    run: Callable[[Workshop, random.Random], Outcome]
    weight: float = 1


class NotPossible(Exception):  # noqa: N818 - no error
    """The attack needs what this machine lacks; the message says what."""
