"""How long a search still takes, by what trials of like cost have taken.

A closed form takes a tenth of a second where a trained tower takes ten: one mean over all trials
says little, and less still when the sampler has come to prefer one of them. So each kind of trial
has a cost of its own, and the trials to come are expected to be of the kinds of the last few.
"""

from collections import defaultdict
from collections.abc import Sequence
from statistics import mean, median_low

from twotower.search.trial import Params, Trial

ENOUGH = 3
"""Trials that must have finished before anything is said."""
RECENT = 20
"""Finished trials whose kinds the next ones are expected to have."""
Kind = tuple[frozenset[str], tuple[tuple[str, str], ...]]


class TimeLeft:
    """Learns from each finished trial."""

    def __init__(self) -> None:
        self._seconds: dict[Kind, list[float]] = defaultdict(list)
        self._kinds: list[Kind] = []

    def add(self, trial: Trial) -> None:
        """Learn what a trial took; one that failed, or whose times are not kept, says nothing."""
        seconds = (trial.finished - trial.started) / 1000
        if trial.started and trial.failure is None:
            kind = kind_of(trial.params)
            self._kinds.append(kind)
            self._seconds[kind].append(seconds)

    def estimate(
        self, running: Sequence[tuple[Params, float]], waiting: int, workers: int
    ) -> float | None:
        """Seconds until all have finished; None if too few have to tell.

        Args:
            running: parameters of each running trial, and the seconds it has been running.
            waiting: trials that have not begun.
            workers: trials that run at a time, at least 1.
        """
        if len(self._kinds) < ENOUGH:
            return None
        expected = mean(map(self._cost, self._kinds[-RECENT:]))
        rest = [
            max(0.0, self._cost(kind_of(params), expected) - spent) for params, spent in running
        ]
        work = sum(rest) + waiting * expected
        return max([work / workers, *rest])

    def _cost(self, kind: Kind, unknown: float = 0.0) -> float:
        """Seconds of a trial of this kind.

        The lower of two, not their mean: the first of a kind may compute what the others reuse.
        """
        return median_low(self._seconds[kind]) if kind in self._seconds else unknown


def kind_of(params: Params) -> Kind:
    """Trials of a kind have the same parameters, and those that are words the same values."""
    words = sorted((name, value) for name, value in params.items() if isinstance(value, str))
    return frozenset(params), tuple(words)


def in_words(seconds: float) -> str:
    """No more digits than an estimate has: `about 40 s`, `about 4 min`, `about 1 h 10 min`."""
    if seconds < 55:
        return f"about {max(5, 5 * round(seconds / 5))} s"
    minutes = max(1, round(seconds / 60))
    if minutes < 60:
        return f"about {minutes} min"
    hours, minutes = divmod(10 * round(minutes / 10), 60)
    return f"about {hours} h" + (f" {minutes} min" if minutes else "")
