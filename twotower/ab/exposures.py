"""Reads logs of exposures: who was shown what, when, by which model."""

import gzip
import json
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd

from twotower.common.arrays import BoolArray, Float64Array, Int64Array
from twotower.common.bounded import one_line, shown
from twotower.common.errors import DataError
from twotower.common.files import parse_json
from twotower.common.progress import track
from twotower.data.id_text import IdText
from twotower.ingest.open_file import part_files

SHOWN = 5
"""Experiments and models that a message names."""
ArmOf = Callable[[Mapping[str, Any]], bool | None]
"""Whether a line is of the treatment (or of the control); None: of neither."""


@dataclass(frozen=True)
class Recommended:
    """Which items were recommended to whom, and when first.

    Attributes:
        items: distinct ids.
        keys: [num_pairs] position of the user times the number of items plus that of the item,
            ascending and distinct.
        since: [num_pairs] seconds since 1970, UTC, of the first time.
    """

    items: "pd.Index[Any]"
    keys: Int64Array
    since: Float64Array

    def at(self, users: Int64Array, items: Int64Array, times: Float64Array) -> BoolArray:
        """[num_rows] whether the item of each row was recommended to its user by that time.

        Args:
            users: [num_rows] position of the user.
            items: [num_rows] position of the item; -1: of none that was recommended.
            times: [num_rows] seconds since 1970, UTC.
        """
        if not len(self.keys):
            return np.zeros(len(users), dtype=bool)
        keys = users * len(self.items) + items
        places = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        found: BoolArray = (items >= 0) & (self.keys[places] == keys)
        return found & (self.since[places] <= times)


@dataclass(frozen=True)
class Exposures:
    """The users of an experiment.

    Attributes:
        users: [n] distinct ids, all integers or all text.
        first: [n] seconds since 1970, UTC, of each one's first exposure.
        in_control: [n] whether the user was ever in the control.
        in_treatment: [n] likewise; some were in both.
        num_lines: lines that were read.
        left_out: lines that do not count, by reason.
        duplicates: lines that count once with an earlier one: the same request and user.
        models: lines by arm (whether treatment) and version of the model.
        recommended: None unless it was asked for.
    """

    users: "pd.Index[Any]"
    first: Float64Array
    in_control: BoolArray
    in_treatment: BoolArray
    num_lines: int
    left_out: Mapping[str, int]
    duplicates: int
    models: Mapping[tuple[bool, str], int]
    recommended: Recommended | None = None


def read_exposures(
    path: Path, arm_of: ArmOf, text: IdText, *, drop: bool = False, items: bool = False
) -> Exposures:
    """Read a log, a line at a time; what is kept of it grows with users, not with lines.

    Each line also costs 8 bytes, to count duplicates, and 20 for every recommended item if these
    are asked for.

    Args:
        path: a file of JSON lines, also with .gz, a folder of such or a pattern.
        arm_of: says which lines count, and in which arm.
        text: how ids are written that are text.
        drop: whether a line that cannot be used is left out, instead of being an error. The last
            line of a file always is if it is cut short, as the service may be writing it.
        items: whether to keep which items were recommended.

    Raises:
        DataError: if there is no such file, one cannot be read, a line breaks a rule, or no line is
            of the experiment.
    """
    files = part_files(path)
    if not files:
        msg = f"{path}: no such file" if not path.is_dir() else f"{path}: no files in this folder"
        raise DataError(msg)
    log = _Log(arm_of, text, items=items)
    for file in files:
        lines = track(_lines(file), f"{file.name}: lines read", rate=True)
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            log.num_lines += 1
            try:
                log.add(_parsed(line))
            except ValueError as error:
                is_cut = not line.endswith(b"\n")
                if not (drop or is_cut):
                    raise _broken(file, number, line, error) from None
                log.left_out["cut short" if is_cut else "invalid"] += 1
    return log.finish(path)


def _lines(file: Path) -> Iterator[bytes]:
    try:
        with _opened(file) as handle:
            yield from handle
    except (OSError, EOFError) as error:  # gzip has both for what is damaged
        msg = f"{file}: cannot be read ({one_line(error)})"
        raise DataError(msg) from None


def _opened(file: Path) -> IO[bytes]:
    if file.suffix == ".gz":
        return gzip.open(file, "rb")  # type: ignore[return-value]  # a reader, whatever its type
    return file.open("rb")


def _parsed(line: bytes) -> Any:
    found = parse_json(line.decode())
    if b"\\u" in line:
        json.dumps(found, ensure_ascii=False).encode()  # half of a surrogate pair is no text
    return found


def _broken(file: Path, number: int, line: bytes, error: ValueError) -> DataError:
    return DataError(
        f"{file}, line {number:,}: {one_line(error)} ({shown(line.decode(errors='replace'))}); "
        "data.on_invalid: drop leaves such lines out, and counts them"
    )


@dataclass
class _Log:
    """What is known of the lines so far."""

    arm_of: ArmOf
    text: IdText
    items: bool
    num_lines: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    models: Counter[tuple[bool, str]] = field(default_factory=Counter)
    others: Counter[tuple[str, str]] = field(default_factory=Counter)
    places: dict[int | str, int] = field(default_factory=dict)
    first: "array[float]" = field(default_factory=lambda: array("d"))
    arms: bytearray = field(default_factory=bytearray)
    requests: "array[int]" = field(default_factory=lambda: array("q"))
    item_places: dict[int | str, int] = field(default_factory=dict)
    pairs: tuple["array[int]", "array[int]", "array[float]"] = field(
        default_factory=lambda: (array("q"), array("i"), array("d"))
    )

    def add(self, line: Any) -> None:
        """Take a line.

        Raises:
            ValueError: if it breaks a rule; then nothing was taken.
        """
        if not isinstance(line, dict):
            msg = "must be an object"
            raise ValueError(msg)
        treated = self.arm_of(line)
        if treated is None:
            self.left_out["of another experiment or model"] += 1
            self.others[str(line.get("experiment")), str(line.get("model"))] += 1
            return
        if line.get("user_id") is None:
            self.left_out["without a user"] += 1
            return
        user, seconds = self._id(line["user_id"], "user_id", self.places), _seconds(line)
        shown_items = self._items(line) if self.items else []
        place = self.places.setdefault(user, len(self.first))
        if place == len(self.first):
            self.first.append(seconds)
            self.arms.append(0)
        self.first[place] = min(self.first[place], seconds)
        self.arms[place] |= 1 + treated
        self.models[treated, str(line.get("model"))] += 1
        # 64 bits: that two of 10 million requests are taken for one is less likely than 1 to 10⁵.
        self.requests.append(hash((str(line.get("request_id")), user)))
        for item in shown_items:
            self.pairs[0].append(place)
            self.pairs[1].append(self.item_places.setdefault(item, len(self.item_places)))
            self.pairs[2].append(seconds)

    def _items(self, line: Mapping[str, Any]) -> list[int | str]:
        items = line.get("items")
        if not isinstance(items, list):
            msg = f"items must be a list, not {shown(items)}"
            raise ValueError(msg)
        return [self._id(item, "items", self.item_places) for item in items]

    def _id(self, value: Any, key: str, known: Mapping[int | str, int]) -> int | str:
        if type(value) not in (int, str):
            msg = f"{key} must be integers or text, not {shown(value)}"
            raise ValueError(msg)
        one: int | str = self.text.one(value) if isinstance(value, str) else value
        other = next(iter(known), one)
        if type(one) is not type(other):
            msg = f"{key} must be all integers or all text; {shown(one)} comes after {shown(other)}"
            raise ValueError(msg)
        return one

    def finish(self, path: Path) -> Exposures:
        """What was read.

        Raises:
            DataError: if no line counts.
        """
        if not self.places:
            reasons = ", ".join(f"{count:,} {reason}" for reason, count in self.left_out.items())
            found = [f"experiment {one}, model {model}" for (one, model), _ in
                     self.others.most_common(SHOWN)]  # fmt: skip
            msg = f"{path}: none of its {self.num_lines:,} lines counts: {reasons or 'no lines'}"
            raise DataError("; ".join([msg, *found]))
        arms = np.frombuffer(self.arms, dtype=np.uint8)
        return Exposures(
            users=pd.Index(list(self.places)),
            first=np.array(self.first),
            in_control=(arms & 1) > 0,
            in_treatment=(arms & 2) > 0,
            num_lines=self.num_lines,
            left_out=dict(self.left_out),
            duplicates=len(self.requests) - len(np.unique(np.array(self.requests))),
            models=dict(self.models),
            recommended=self._recommended() if self.items else None,
        )

    def _recommended(self) -> Recommended:
        users, items, times = (np.array(column) for column in self.pairs)
        keys = users * len(self.item_places) + items
        order = np.lexsort((times, keys))
        keys, times = keys[order], times[order]
        is_first = np.ones(len(keys), dtype=bool)
        is_first[1:] = keys[1:] != keys[:-1]
        return Recommended(pd.Index(list(self.item_places)), keys[is_first], times[is_first])


def _seconds(line: Mapping[str, Any]) -> float:
    """Since 1970, of a line's time; without an offset it is UTC."""
    time = line.get("time")
    if not isinstance(time, str):
        msg = f"time must be text such as 2026-11-28T16:30:00Z, not {shown(time)}"
        raise ValueError(msg)
    return seconds_of(time)


def seconds_of(time: str) -> float:
    """Seconds since 1970 of a date or time in ISO form; without an offset it is UTC.

    Raises:
        ValueError: if it is none.
    """
    moment = datetime.fromisoformat(time)
    seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    datetime.fromtimestamp(seconds, UTC)  # which has years from 1 to 9999, too
    return seconds
