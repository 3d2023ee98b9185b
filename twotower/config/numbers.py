"""Numbers that arrive as text: `dvc exp run -S` and writers of YAML quote what others do not."""

import math
from contextlib import suppress
from decimal import Decimal
from functools import partial


def read_number(text: str) -> int | float | None:
    """The number that text spells in YAML, JSON, Python or Hydra; None: it spells none.

    1e2 is 100, 0x10 is 16, 1_000 is 1000 and 010 is ten, as in YAML 1.2; nan and inf are numbers
    too, though no parameter takes them. So is, as inf, what no float can hold.
    """
    for read in (int, partial(int, base=0), float):
        with suppress(ValueError):
            return _within_floats(read(text)) if text.isascii() else None
    return None


def _within_floats(number: float) -> float:
    """The number, or inf in place of an integer that is beyond the range of floats."""
    try:
        float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf
    return number


def as_number(value: object) -> object:
    """The number that a text spells; any other value as it is."""
    number = read_number(value) if isinstance(value, str) else None
    return value if number is None else number


def without_exponent(value: object) -> str:
    """A value as params.yaml and `-S` take it: readers of YAML 1.1 take 1e-05 for text."""
    return format(Decimal(repr(value)), "f") if isinstance(value, float) else str(value)
