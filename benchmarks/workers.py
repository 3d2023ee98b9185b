"""How much faster two workers are than one, on the sample data, with one thread a trial.

    python -m benchmarks.workers [--trials 60] [--rounds 3]

Runs the two side by side in turn. A search's seconds are those from the start of its first trial to
the end of its last, as the live study holds them: what comes before is the start of Python.
"""

import argparse
import sqlite3
from datetime import datetime
from pathlib import Path
from statistics import median

from benchmarks.determinism import ground


def seconds(folder: Path) -> float:
    """From the first start of a trial to the last end."""
    [path] = folder.glob(".hpo/*/*/study.db")
    with sqlite3.connect(path) as connection:
        query = "select min(datetime_start), max(datetime_complete) from trials"
        first, last = connection.execute(query).fetchone()
    return (datetime.fromisoformat(last) - datetime.fromisoformat(first)).total_seconds()


def main() -> None:
    """Print a row a round, and the median ratio."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    print(f"{'one worker, s':>14} {'two workers, s':>14} {'ratio':>6}")
    ratios = []
    for _ in range(arguments.rounds):
        took = []
        for workers in (1, 2):
            with ground() as place:
                place.finish(n_trials=arguments.trials, workers=workers)
                took.append(seconds(place.folder))
        ratios.append(took[0] / took[1])
        print(f"{took[0]:>14.1f} {took[1]:>14.1f} {ratios[-1]:>6.2f}", flush=True)
    print(f"median ratio {median(ratios):.2f}")


if __name__ == "__main__":
    main()
