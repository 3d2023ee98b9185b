"""Do verdicts and intervals err as often as they say?

    python -m benchmarks.calibration [--seeds 1000] [--only SECTION …] [--write]

Prints the tables of docs/calibration.md; with --write, puts them there. All of it takes a quarter
of an hour on one core. Exits with status 1 if a rate is further above its level, or a coverage
below it, than chance takes it with a probability of 0.1 %.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.calibration import clusters, lift, looks, noise, peeking, promotions, users, worst
from benchmarks.calibration.tables import DOCUMENT, Tables
from benchmarks.markdown import written
from twotower.common.choices import Table
from twotower.common.display import shown
from twotower.common.progress import say


@dataclass(frozen=True)
class Section:
    """Of the document.

    Attributes:
        name: after --only.
        report: makes them from so many seeds.
    """

    name: str
    report: Callable[[int], Tables]


SECTIONS = Table(
    "--only",
    Section("users", users.report),
    Section("worst", worst.report),
    Section("clusters", clusters.report),
    Section("looks", looks.report),
    Section("promotions", promotions.report),
    Section("peeking", peeking.report),
    Section("noise", noise.report),
    Section("lift", lift.report),
)


def main() -> None:
    """Print the tables, and write them into the document if asked to."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=1000, help="samples of each kind")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--write", action="store_true", help=f"into docs/{DOCUMENT.name}")
    arguments = parser.parse_args()
    if arguments.seeds < 1:
        parser.error(f"--seeds: at least 1, not {arguments.seeds}")
    broken = []
    with shown():
        for name in arguments.only:
            tables = SECTIONS[name].report(arguments.seeds)
            broken += [] if tables.sound else [name]
            for title, text in tables.texts.items():
                say(f"{title}:\n\n{text}\n")
                if arguments.write:
                    document = written(DOCUMENT.read_text(encoding="utf-8"), title, text)
                    DOCUMENT.write_text(document, encoding="utf-8", newline="\n")
    if broken:
        raise SystemExit(f"out of bounds: {', '.join(broken)}")


if __name__ == "__main__":
    main()
