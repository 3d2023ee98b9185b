"""By how much two files of one kind differ."""

import csv
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from twotower.common.choices import Table

MAX_NAMED = 2
"""Values other than numbers that are named."""


@dataclass(frozen=True)
class Difference:
    """How a file differs from the committed one.

    Attributes:
        text: by how much; empty where only the bytes can be compared.
        relative: the largest relative difference of its numbers; None: they are not compared.
        others: keys of all else that differs: words, truth values, what only one of them has.
    """

    text: str = ""
    relative: float | None = None
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kind:
    """Files that are compared value by value.

    Attributes:
        name: the end of their names.
        compare: the committed file and the new one.
    """

    name: str
    compare: Callable[[Path, Path], Difference]


def difference(committed: Path, new: Path) -> Difference:
    """By how much a file differs; damaged ones, and kinds that are not listed, just differ."""
    kind = KINDS.get(new.suffix)
    try:
        return kind.compare(committed, new) if kind else Difference()
    except (ValueError, OSError, csv.Error):
        return Difference("not readable as what its name says")


def compared_values(committed: Mapping[str, Any], new: Mapping[str, Any]) -> Difference:
    """Compare values that have the same key."""
    largest, at, others = 0.0, "", []
    for key in dict.fromkeys((*committed, *new)):
        pair = committed.get(key, ...), new.get(key, ...)
        relative = _relative(*pair)
        if relative is None:
            others += [key] * (pair[0] != pair[1])
        elif relative > largest:
            largest, at = relative, key
    parts = [f"by {largest:.1e} of its value at most ({at})"] if at else []
    parts += [f"other {named(others, MAX_NAMED)}"] if others else []
    return Difference("; ".join(parts), largest, tuple(others))


def _relative(a: Any, b: Any) -> float | None:
    """Relative difference of two numbers, of the larger one; None: they are not both numbers."""
    if any(isinstance(value, bool) or not isinstance(value, int | float) for value in (a, b)):
        return None
    if a == b:
        return 0.0
    relative = abs(a - b) / max(abs(a), abs(b))
    return relative if math.isfinite(relative) else None


def named(names: Sequence[str], most: int) -> str:
    """The first of some names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _compare_json(committed: Path, new: Path) -> Difference:
    return compared_values(*(dict(_leaves(json.loads(_text(path)))) for path in (committed, new)))


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every value that is no container, with where it is: `trials.3.params.lr`."""
    if not isinstance(value, Mapping | list):
        yield key, value
        return
    pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
    for name, item in pairs:
        yield from _leaves(item, f"{key}.{name}" if key else str(name))


def _compare_csv(committed: Path, new: Path) -> Difference:
    return compared_values(dict(_cells(committed)), dict(_cells(new)))


def _cells(path: Path) -> Iterator[tuple[str, Any]]:
    """Every cell, with where it is: `loss in row 3`; rows count from 1, without the header."""
    for number, row in enumerate(csv.DictReader(_text(path).splitlines()), start=1):
        for column, cell in row.items():
            yield f"{column} in row {number}", _number_or_text(cell)


def _number_or_text(cell: Any) -> Any:
    try:
        number = float(cell)
    except (TypeError, ValueError):
        return cell
    return number if math.isfinite(number) else cell  # NaN is not equal to itself


def _compare_vectors(committed: Path, new: Path) -> Difference:
    a, b = (np.load(path, mmap_mode="r", allow_pickle=False) for path in (committed, new))
    if a.shape != b.shape or a.dtype != b.dtype:
        return Difference(f"{b.dtype} {list(b.shape)}, not {a.dtype} {list(a.shape)}")
    rows = max(1, 2**20 // max(1, math.prod(a.shape[1:])))
    blocks = (slice(start, start + rows) for start in range(0, len(a), rows))
    largest = max((float(np.abs(np.subtract(a[i], b[i])).max()) for i in blocks), default=0.0)
    return Difference(f"by {largest:.1e} at most")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


KINDS = Table(
    "the end of an output's name",
    Kind(".json", _compare_json),
    Kind(".csv", _compare_csv),
    Kind(".npy", _compare_vectors),
)
"""All others, Parquet, databases, weights and pages, are only compared byte by byte."""
