"""Attack runs of the pipeline, again and again, and see whether its promises hold.

    python -m benchmarks.chaos [NAME ...] [--times N] [--seed S] [--markdown FILE]

A name is that of an attack, or of a module of this package, for all of its attacks. Prints a line
for each time, then a table; exits with status 1 if a promise was broken. Takes Linux or macOS.
"""

import argparse
import random
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from benchmarks.chaos.attack import Attack, NotPossible, Outcome
from benchmarks.chaos.workshop import Workshop, workshop
from benchmarks.machine import machine
from benchmarks.markdown import table
from twotower.common.choices import Table

HERE = Path(__file__).parent
HEAD = ("attack", "what", "times", "kills", "how it ended", "broken")


@dataclass
class Tally:
    """What has come of an attack so far.

    Attributes:
        broken: a text for each broken promise.
        impossible: why it cannot run here; empty if it can.
    """

    attack: Attack
    times: int = 0
    kills: int = 0
    notes: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    impossible: str = ""

    def add(self, outcome: Outcome) -> None:
        """Count one more time."""
        self.times += 1
        self.kills += outcome.kills
        self.notes[outcome.note] += 1
        if outcome.broken is not None:
            self.broken.append(outcome.broken)

    def row(self) -> list[str]:
        """Below HEAD."""
        ended = ", ".join(f"{note}: {count}" for note, count in self.notes.most_common())
        ended = ended or f"not run: {self.impossible}"
        numbers = f"{self.times:,}", f"{self.kills:,}"
        return [self.attack.name, self.attack.what, *numbers, ended, f"{len(self.broken)}"]


def main() -> None:
    """Run the attacks that are named, or all."""
    known = modules()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.chaos",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = {*known, *(attack.name for attacks in known.values() for attack in attacks)}
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(sorted(names))}")
    parser.add_argument("--times", type=int, default=100, help="that attacks run, all together")
    parser.add_argument("--seed", type=int, default=0, help="of which, when and where")
    parser.add_argument("--markdown", type=Path, help="a file for the table")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - names
    if unknown:
        parser.error(f"no attack or module is named {', '.join(sorted(unknown))}")
    attacks = chosen(known, arguments.names)
    with workshop() as shop:
        tallies = list(run_all(shop, attacks, arguments.times, arguments.seed))
    said = f"{table(HEAD, [tally.row() for tally in tallies])}\n\nOn {machine()}."
    print(f"\n{said}\n")
    if arguments.markdown is not None:
        arguments.markdown.write_text(f"{said}\n", encoding="utf-8", newline="\n")
    raise SystemExit(any(tally.broken for tally in tallies))


def modules() -> dict[str, Sequence[Attack]]:
    """The attacks of every module here that has some."""
    texts = {file.stem: file.read_text(encoding="utf-8") for file in sorted(HERE.glob("*.py"))}
    names = [name for name, text in texts.items() if "\nATTACKS" in text]
    known = {name: import_module(f"benchmarks.chaos.{name}").ATTACKS for name in names}
    Table("NAME", *(attack for attacks in known.values() for attack in attacks))  # no name twice
    return known


def chosen(known: dict[str, Sequence[Attack]], names: Sequence[str]) -> list[Attack]:
    """The attacks that these names stand for; without names, all."""
    return [
        attack
        for module, attacks in known.items()
        for attack in attacks
        if not names or module in names or attack.name in names
    ]


def run_all(shop: Workshop, attacks: Sequence[Attack], times: int, seed: int) -> Iterator[Tally]:
    """Run each attack its share of the times, and print a line for each."""
    total = sum(attack.weight for attack in attacks)
    for attack in attacks:
        tally = Tally(attack)
        for number in range(max(1, round(times * attack.weight / total))):
            began = time.monotonic()
            key = f"{seed} {attack.name} {number}"
            try:
                outcome = run_once(shop, attack, key)
            except NotPossible as error:
                tally.impossible = str(error)
                print(f"{attack.name}: not run: {error}", flush=True)
                break
            tally.add(outcome)
            said = f"BROKEN ({key}): {outcome.broken}" if outcome.broken else outcome.note
            took = time.monotonic() - began
            print(f"{attack.name} {number}: {outcome.kills} in {took:.0f} s: {said}", flush=True)
        yield tally


def run_once(shop: Workshop, attack: Attack, key: str) -> Outcome:
    """What comes of one time; an exception is a broken promise.

    Args:
        shop: to attack.
        attack: what to do to it.
        key: decides all that is drawn.
    """
    try:
        return attack.run(shop, random.Random(key))  # noqa: S311 - which, when and where
    except NotPossible:
        raise
    except AssertionError as error:
        return Outcome(0, "broken", str(error))
    except Exception:  # a bug of the attack must not end the others
        return Outcome(0, "broken", traceback.format_exc())


if __name__ == "__main__":
    main()
