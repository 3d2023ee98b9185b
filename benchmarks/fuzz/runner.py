"""Cases of a kind, one after the other, each within its limits; what breaks a promise is shrunk."""

import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings

from benchmarks.fuzz.kinds import Kind
from benchmarks.fuzz.limits import limited

ROUND = 2_000
"""Cases that hypothesis makes at a time: it remembers all of a round."""
SHOWN = 6_000
"""Characters of a broken promise that are shown, from its end."""


@dataclass
class Tally:
    """How the cases of a kind ended.

    Attributes:
        ended: number of cases by how they ended.
        slowest: seconds that the slowest took.
        broken: each broken promise, with the smallest case that breaks it.
    """

    ended: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0
    broken: list[str] = field(default_factory=list)

    @property
    def cases(self) -> int:
        """Number of all of them, but for those that made a broken one smaller."""
        return self.ended.total()


def run(kind: Kind, cases: int, seed_number: int) -> Tally:
    """Try that many cases, or as many as it takes to break a promise.

    Args:
        kind: what is tried.
        cases: how many.
        seed_number: of the cases: with the same, they are the same.
    """
    tally = Tally()
    for start in range(0, cases, ROUND):
        test = as_test(kind, tally, min(ROUND, cases - start), seed_number + start)
        try:
            test()
        except Exception as error:
            tally.broken += shown(error)
            break
    return tally


def as_test(kind: Kind, tally: Tally, cases: int, seed_number: int, **more: Any) -> Any:
    """A hypothesis test of a kind, which counts.

    Args:
        kind: what is tried.
        tally: counts until a promise is broken, then no more: hypothesis makes the case smaller.
        cases: how many.
        seed_number: of the cases.
        more: other settings.
    """
    check = kind.check
    found = False

    def case(case: Any) -> None:
        nonlocal found
        began = time.perf_counter()
        try:
            how = _tried(check, case)
        except BaseException:
            found = True
            raise
        if not found:
            tally.ended[how] += 1
            tally.slowest = max(tally.slowest, time.perf_counter() - began)

    chosen: dict[str, Any] = {"phases": (Phase.generate, Phase.target, Phase.shrink)}
    chosen |= {"database": None, **more}
    chosen |= {"max_examples": cases, "deadline": None, "suppress_health_check": list(HealthCheck)}
    test = seed(seed_number)(given(kind.cases())(case))  # which takes the database away …
    return settings(derandomize=False, **chosen)(test)  # … so settings come last


def _tried(check: Callable[[Any, Path], str], case: Any) -> str:
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder, limited():
        return check(case, Path(folder))


def shown(error: BaseException) -> list[str]:
    """Each of the errors that hypothesis found, with its traceback and the smallest case."""
    if isinstance(error, BaseExceptionGroup):
        return [text for one in error.exceptions for text in shown(one)]
    text = "".join(traceback.format_exception(error))
    return [text if len(text) <= SHOWN else f"…{text[-SHOWN:]}"]
