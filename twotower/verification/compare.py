"""Compares the outputs of a run with the committed ones."""

import filecmp
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from twotower.common.files import DIGITS
from twotower.common.paths import LOCK
from twotower.verification.committed import Committed
from twotower.verification.differences import Difference, difference, named
from twotower.verification.locked import Lock
from twotower.verification.results import Agreement, K, made_on, proposals, rankings, read_results

RESULTS, MODEL = "hpo_results.json", ".artifacts_best"
METRICS = "metrics/"
VALUES = (".json", ".csv")
"""Ends of the names of files of metrics that are compared value by value."""
NOT_HERE = "by how much is not known: it is not in the cache"
MAX_NAMED = 5


@dataclass(frozen=True)
class Compared:
    """An output, or a file of one that is a folder.

    Attributes:
        path: of an output, or from the folder of one.
        difference: None: it has the bytes of the committed one.
        is_output: whether it is one.
        is_here: whether the committed one was there to be compared with.
    """

    path: str
    difference: Difference | None
    is_output: bool = True
    is_here: bool = True


@dataclass(frozen=True)
class Verification:
    """All outputs of a run, compared with the committed ones.

    Attributes:
        rows: outputs in the order of dvc.lock, each before those of its files that differ.
        other_inputs: files and parameters that have changed since dvc.lock was written.
        made_on: on what both were made, in a line.
        proposals: trials with equal hyperparameters; None: not compared.
        rankings: users with equal top lists; None: not compared.
    """

    rows: tuple[Compared, ...]
    other_inputs: tuple[str, ...]
    made_on: str
    proposals: Agreement | None
    rankings: Agreement | None

    @property
    def outputs(self) -> list[Compared]:
        """The rows that are outputs."""
        return [row for row in self.rows if row.is_output]

    @property
    def is_same(self) -> bool:
        """Whether every output has the bytes of the committed one."""
        return all(row.difference is None for row in self.outputs)

    def lines(self) -> Iterator[str]:
        """What a terminal shows; the conclusion is the last line."""
        shown = [("" if row.is_output else "  ") + row.path for row in self.rows]
        width = max(map(len, shown), default=0)
        for name, row in zip(shown, self.rows, strict=True):
            same = row.difference is None
            text = "same" if same else f"differs  {row.difference.text if row.difference else ''}"
            yield f"{name:<{width}}  {text}".rstrip()
        yield ""
        if self.other_inputs:
            others = named(self.other_inputs, MAX_NAMED)
            yield f"note: {LOCK} was made from other inputs than those of the commit: {others}"
        if self.proposals is not None:
            yield f"trials with equal hyperparameters: {self.proposals}"
        if self.rankings is not None:
            yield f"test users with the same {K} items first, in the same order: {self.rankings}"
        yield self.made_on
        yield self.conclusion

    @property
    def conclusion(self) -> str:
        """All of it in one line."""
        outputs = self.outputs
        if self.is_same:
            return f"all {len(outputs)} outputs have the bytes of the committed {LOCK}"
        changed = sum(row.difference is not None for row in outputs)
        parts = [f"{changed} of {len(outputs)} outputs differ: {self._decisions()}"]
        parts.append(self._metrics())
        if not all(row.is_here for row in self.rows):
            parts.append("run dvc pull to see by how much the others differ")
        return "; ".join(parts)

    def _decisions(self) -> str:
        """How proposals and rankings agree."""
        both = {"proposals": self.proposals, "rankings": self.rankings}
        full = [name for name, one in both.items() if one is not None and one.is_full]
        partly = [
            f"{one.total - one.equal:,} of {one.total:,} {name} differ"
            for name, one in both.items()
            if one is not None and not one.is_full
        ]
        unknown = [f"{name} not compared" for name, one in both.items() if one is None]
        return ", ".join([*([f"equal {' and '.join(full)}"] if full else []), *partly, *unknown])

    def _metrics(self) -> str:
        """How metrics agree."""
        found = {
            row.path: row.difference
            for row in self.outputs
            if row.difference is not None and row.is_here and _is_metric(row.path)
        }
        if others := [f"{key} ({path})" for path, one in found.items() for key in one.others]:
            return f"metrics differ in {named(others, 2)}"
        relative = [one.relative for one in found.values()]
        if None in relative:
            return "metrics cannot be compared"
        digits = agreeing_digits(max((one or 0.0 for one in relative), default=0.0))
        return f"metrics agree to {digits} digits" if found else "equal metrics"


def compare(committed_lock: Lock, new: Lock, folder: Path, committed: Committed) -> Verification:
    """Compare what a run has left with what was committed.

    Args:
        committed_lock: as committed.
        new: after the run.
        folder: of the run.
        committed: brings committed outputs.
    """
    digests = {output.path: output.digest for output in new.outputs}
    rows: list[Compared] = []
    places: dict[str, Path | None] = {}
    for output in committed_lock.outputs:
        path = output.path
        if digests.pop(path, None) == output.digest:
            rows.append(Compared(path, None))
            places[path] = folder / path
        else:
            places[path] = committed.bring(output)
            rows += _differing(path, places[path], folder / path)
    rows += [Compared(path, Difference(f"not in the committed {LOCK}")) for path in digests]
    there, here = (read_results(path) for path in (places.get(RESULTS), folder / RESULTS))
    return Verification(
        tuple(rows),
        tuple(committed_lock.other_inputs(new)),
        made_on(there, here) if here else "",
        proposals(there, here) if there and here else None,
        rankings(places.get(MODEL), folder / MODEL, folder),
    )


def _differing(path: str, committed: Path | None, new: Path) -> Iterator[Compared]:
    """The rows of an output whose bytes differ."""
    if not new.exists():
        yield Compared(path, Difference("not written"))
    elif committed is None:
        yield Compared(path, Difference(NOT_HERE), is_here=False)
    elif new.is_file() and committed.is_file():
        yield Compared(path, difference(committed, new))
    else:
        files = sorted({*_files(committed), *_files(new)})
        pairs = {file: (committed / file, new / file) for file in files}
        differing = {file: pair for file, pair in pairs.items() if not _is_equal(*pair)}
        yield Compared(path, Difference(f"in {len(differing)} of {len(files)} files"))
        for file, pair in differing.items():
            is_there = all(one.is_file() for one in pair)
            one = difference(*pair) if is_there else Difference("only in one of them")
            yield Compared(file, one, is_output=False)


def _files(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]


def _is_equal(a: Path, b: Path) -> bool:
    return a.is_file() and b.is_file() and filecmp.cmp(a, b, shallow=False)


def _is_metric(path: str) -> bool:
    return path.startswith(METRICS) and path.endswith(VALUES)


def agreeing_digits(relative: float) -> int:
    """Significant digits in which numbers agree that differ by so much; files have 8."""
    return DIGITS if not relative else max(0, min(DIGITS, math.floor(-math.log10(relative))))
