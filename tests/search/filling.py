"""A search that costs nothing: python -m tests.search.filling ROOT STORAGE COUNT [PAUSE].

It prints the number of each trial as soon as that trial is said to be kept.
"""

import sys
import time
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


def fill(root: Path, storage: str | None, count: int, pause: float = 0, *, say=print) -> None:
    """Trials arrive as from two workers: 1, 0, 3, 2, …; then the snapshot is written."""
    where = location(root)
    with open_study(where, HpoConfig(storage=storage), say) as study:
        for pair in range(0, count, 2):
            for number in (pair + 1, pair):
                if number not in study.trials and number < count:
                    time.sleep(pause)
                    study.add(made(number, where.provenance.digest))
                    sys.stdout.write(f"{number}\n")
                    sys.stdout.flush()
        trials = [study.trials[number] for number in range(count)]
    write_snapshot(where.snapshot, "s", trials, SPACE, {"identity": where.identity.digest})


if __name__ == "__main__":
    fill(Path(sys.argv[1]), sys.argv[2] or None, int(sys.argv[3]), float((*sys.argv, 0)[4]))
