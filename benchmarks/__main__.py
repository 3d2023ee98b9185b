"""Everything that is measured against a limit: ours, the limit, their ratio and the aim.

    python -m benchmarks [NAME …] [--full] [--write] [--markdown FILE]

Prints each line as it is measured, then the tables; with --write, puts those of a benchmark into
docs/benchmarks.md as it ends. Each benchmark makes the data that it needs. Exits with status 1 if
one fails; a line that misses its aim is no failure, and neither is a benchmark for which something
is missing.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.machine import machine
from benchmarks.markdown import HEAD, cells, sentence, table, written
from benchmarks.measured import Line, Picture, Scale, Text
from benchmarks.modules import Module, found, modules

DOCS = Path(__file__).parent.parent / "docs"
DOCUMENT = DOCS / "benchmarks.md"
IMAGES = DOCS / "images"


def main() -> None:
    """Run those that are named, or all."""
    known = modules()
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}")
    parser.add_argument("--full", action="store_true", help="sizes that take hours, not minutes")
    parser.add_argument("--write", action="store_true", help="the tables into docs/benchmarks.md")
    parser.add_argument("--markdown", type=Path, help="a file for the tables")
    arguments = parser.parse_args()
    for name in arguments.names:
        try:
            known.check(name)
        except ValueError as error:
            parser.error(f"NAME: {error}")
    scale: Scale = "full" if arguments.full else "quick"
    here = f"{scale.capitalize()}, on {machine()}."
    print(here, flush=True)
    reports = []
    for name in arguments.names or known:
        reports.append(run(known[name], scale, here))
        if arguments.write:
            write(reports[-1].texts, reports[-1].pictures)
    texts = [text for report in reports for text in report.texts]
    for text in texts:
        print(f"\n{text.name}:\n\n{text.markdown}")
    print(f"\n{summary([line for report in reports for line in report.lines])}")
    if arguments.markdown is not None:
        tables = "\n\n".join(f"## {text.name}\n\n{text.markdown}" for text in texts)
        arguments.markdown.write_text(f"{tables}\n", encoding="utf-8", newline="\n")
    failed = [report.name for report in reports if report.failed]
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


@dataclass
class Report:
    """What one benchmark has found, for the document.

    Attributes:
        name: of the benchmark.
        lines: all of them, even if it failed.
        texts: the table of its lines, and what else it says.
        pictures: that it has drawn.
        failed: whether it could not be run to its end, though nothing was missing; then what the
            document has stays.
    """

    name: str
    lines: list[Line] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    failed: bool = False


def run(module: Module, scale: Scale, here: str) -> Report:
    """Run a benchmark, and print its lines.

    Args:
        module: the benchmark.
        scale: of the data.
        here: the scale and the machine, to go below the table.
    """
    report = Report(module.name)
    began = time.monotonic()
    print(f"\n{module.name}", flush=True)
    for one in found(module, scale):
        if isinstance(one, Line):
            report.lines.append(one)
            print(f"  {sentence(one)}", flush=True)
        elif isinstance(one, Text):
            report.texts.append(one)
        elif isinstance(one, Picture):
            report.pictures.append(one)
        elif one.failed:
            report.failed = True
            print(f"error: {module.name}: {one.reason}", file=sys.stderr, flush=True)
        else:
            print(f"  not run: {one.reason}", flush=True)
    print(f"  ({time.monotonic() - began:.0f} s)", flush=True)
    if report.failed or not report.lines:
        return Report(report.name, report.lines, failed=report.failed)
    rows = [cells(line) for line in report.lines]
    report.texts.insert(0, Text(report.name, f"{table(HEAD, rows)}\n\n{here}"))
    return report


def summary(lines: Sequence[Line]) -> str:
    """How many lines hold, and which miss their aim or were not run."""
    holding = sum(line.holds is True for line in lines)
    parts = [f"{holding} of {len(lines)} lines hold"]
    for what, holds in (("missed", False), ("not run", None)):
        if names := [line.what for line in lines if line.holds is holds]:
            parts.append(f"{what}: {'; '.join(names)}")
    return "\n".join(parts)


def write(texts: list[Text], pictures: list[Picture]) -> None:
    """Put the tables into the document, and the pictures beside it."""
    document = DOCUMENT.read_text(encoding="utf-8")
    for text in texts:
        document = written(document, text.name, text.markdown)
    DOCUMENT.write_text(document, encoding="utf-8", newline="\n")
    for picture in pictures:
        (IMAGES / picture.name).write_bytes(picture.content)


if __name__ == "__main__":
    main()
