"""Damaged and hostile input of every kind: how it ends, and what breaks a promise.

    python -m benchmarks.fuzz [KIND …] [--cases 20000] [--seed S] [--guided] [--markdown FILE]

Prints a line a kind, then the table; of a broken promise, the smallest case that breaks it. Exits
with status 1 if one is. With --guided, cases are those that reach code which none before has
reached, by atheris where it is installed (pip install atheris; Linux and macOS).
"""

import argparse
import sys
import time
from pathlib import Path

from benchmarks.fuzz.guided import run_guided
from benchmarks.fuzz.kinds import Kind, kinds
from benchmarks.fuzz.runner import Tally, run
from benchmarks.markdown import table

HEAD = ("input", "cases", "how they ended", "slowest", "broken promises")


def main() -> None:
    """Try the kinds that are named, or all."""
    known = kinds()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fuzz",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="KIND", help=f"of {', '.join(known)}")
    parser.add_argument("--cases", type=int, default=20_000, help="of each kind (20000)")
    parser.add_argument("--seed", type=int, default=0, help="of the cases (0)")
    parser.add_argument("--guided", action="store_true", help="guided by coverage, by atheris")
    parser.add_argument("--markdown", type=Path, help="a file for the table")
    arguments = parser.parse_args()
    for name in arguments.names:
        try:
            known.check(name)
        except ValueError as error:
            parser.error(f"KIND: {error}")
    tallies = {}
    for name in arguments.names or known:
        began = time.monotonic()
        try_kind = run_guided if arguments.guided else run
        tally = tallies[name] = try_kind(known[name], arguments.cases, arguments.seed)
        for text in tally.broken:
            print(f"\n{name}:\n{text}", file=sys.stderr, flush=True)
        print(f"{name}: {' | '.join(cells(known[name], tally)[1:])}", end="", flush=True)
        print(f" ({time.monotonic() - began:.0f} s)", flush=True)
    markdown = table(HEAD, [cells(known[name], tally) for name, tally in tallies.items()])
    print(f"\n{markdown}")
    if arguments.markdown is not None:
        arguments.markdown.write_text(f"{markdown}\n", encoding="utf-8", newline="\n")
    if any(tally.broken for tally in tallies.values()):
        raise SystemExit(1)


def cells(kind: Kind, tally: Tally) -> list[str]:
    """Of a row below HEAD."""
    ended = ", ".join(f"{count:,} {how}" for how, count in tally.ended.most_common())
    slowest = f"{tally.slowest:.2f} s"
    return [kind.title, f"{tally.cases:,}", ended, slowest, str(len(tally.broken) or "none")]


if __name__ == "__main__":
    main()
