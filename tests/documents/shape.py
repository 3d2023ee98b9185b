"""Output that differs in its figures alone."""

import re
from collections.abc import Iterable, Sequence

OMITTED = "…"
DIGEST = r"\b(?=[a-f]*\d)[0-9a-f]{7,40}\b"
NUMBER = r"(?<![\w])[-+]?\d(?:[\d,.:]*\d)?(?:e[-+]?\d+)?(?!\w)"
FIGURE = re.compile(f"{DIGEST}|{NUMBER}(?: [AP]M)?")


def shape(line: str) -> str:
    """The line with `#` for each number and digest, single blanks, and without the comment `*`."""
    return " ".join(FIGURE.sub("#", line).split()).removesuffix(" *")


def missing(documented: Iterable[str], printed: Sequence[str]) -> str | None:
    """The first documented line that no printed line is like, in order; None if there is none.

    Several documented lines may be like one that was printed, and others may be printed between.
    """
    shapes, at = [shape(line) for line in printed], 0
    for line in documented:
        if not line.strip(OMITTED + " "):
            continue
        wanted = re.compile(".*".join(re.escape(shape(part)) for part in line.split(OMITTED)))
        found = next((n for n in range(at, len(shapes)) if wanted.fullmatch(shapes[n])), None)
        if found is None:
            return line
        at = found
    return None


def stands_for(documented: str, real: str) -> bool:
    """Whether the line is the real one, with `…` for parts of it."""
    parts = [re.escape(part.strip()) for part in documented.split(OMITTED)]
    return re.fullmatch(".*".join(parts), real.strip()) is not None
