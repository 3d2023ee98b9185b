"""A search that costs nothing."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.search.store.test_database import SPACE, finished
from tests.search.store.test_live_study import location
from twotower.config.hpo import HpoConfig
from twotower.search.store.live_study import open_study
from twotower.search.store.snapshot import write_snapshot
from twotower.search.trial import Trial


def made(number: int, provenance: str) -> Trial:
    made = finished(number, None if number % 7 == 3 else number / 1000)
    return replace(made, provenance=provenance, intermediate={1: 0.5, 2: number / 10})


def fill(
    root: Path,
    storage: str | None,
    count: int,
    *,
    say: Callable[[str], None] = print,
    kept: Callable[[int], None] = lambda _number: None,
) -> None:
    """Trials arrive as from two workers: 1, 0, 3, 2, …; then the snapshot is written.

    Args:
        root: folder of the study.
        storage: URL of its database; None for its own.
        count: how many trials it has in the end.
        say: is told what a search prints.
        kept: is told the number of each trial as soon as that trial is said to be kept.
    """
    where = location(root)
    with open_study(where, HpoConfig(storage=storage), say) as study:
        for pair in range(0, count, 2):
            for number in (pair + 1, pair):
                if number not in study.trials and number < count:
                    study.add(made(number, where.provenance.digest))
                    kept(number)
        trials = [study.trials[number] for number in range(count)]
    write_snapshot(where.snapshot, "s", trials, SPACE, {"identity": where.identity.digest})
