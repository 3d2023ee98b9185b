"""Output that differs in its figures alone."""

import re
from collections.abc import Iterable

OMITTED = "…"
DIGEST = r"\b(?=[a-f]*\d)[0-9a-f]{7,40}\b"
NUMBER = r"(?<![\w])[-+]?\d(?:[\d,.:]*\d)?(?:e[-+]?\d+)?(?!\w)"
FIGURE = re.compile(f"{DIGEST}|{NUMBER}(?: [AP]M)?")


def shape(line: str) -> str:
    """The line with `#` for each number and digest, single blanks, and without the comment `*`."""
    return " ".join(FIGURE.sub("#", line).split()).removesuffix(" *")


def missing(documented: Iterable[str], printed: Iterable[str]) -> str | None:
    """The first documented line that no printed line is like; None if there is none.

    Others may be printed as well, and the order is not compared: that of DVC's tables varies.
    """
    shapes = [shape(line) for line in printed]
    for line in documented:
        wanted = re.compile(".*".join(re.escape(shape(part)) for part in line.split(OMITTED)))
        if not any(map(wanted.fullmatch, ["", *shapes])):
            return line
    return None


def stands_for(documented: str, real: str) -> bool:
    """Whether the line is the real one, with `…` for parts of it."""
    parts = [re.escape(part.strip()) for part in documented.split(OMITTED)]
    return re.fullmatch(".*".join(parts), real.strip()) is not None
