"""Markdown tables, the document that holds them, and how far from the truth chance may be."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from scipy import stats

from twotower.assessment.comparison import ALPHA
from twotower.assessment.intervals import LEVEL


@dataclass(frozen=True)
class Tables:
    """What a section of the benchmark found.

    Attributes:
        texts: Markdown tables, by the name that the document has for each.
        sound: whether the figures are within what chance does to a rule that keeps its level.
    """

    texts: Mapping[str, str]
    sound: bool


CHANCE = 0.001
"""That a figure is out of bounds by chance; there are more than a hundred."""
DOCUMENT = Path(__file__).parents[2] / "docs" / "calibration.md"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], seeds: int | None = None) -> str:
    """Lines of Markdown, and the number of seeds below them."""
    lines = [f"| {' | '.join(cells)} |" for cells in (head, *rows)]
    lines.insert(1, "|---" * len(head) + "|")
    if seeds is not None:
        lines += ["", f"{seeds:,} seeds."]
    return "\n".join(lines)


def percent(share: float) -> str:
    """`4.3 %`."""
    return f"{share:.1%}".replace("%", " %")


def most_claims(seeds: int, alpha: float = ALPHA) -> float:
    """Share of claims that tests at a level exceed with a probability of CHANCE."""
    return float(stats.binom.isf(CHANCE, seeds, alpha) / seeds)


def least_covered(seeds: int, level: float = LEVEL) -> float:
    """Share of intervals below which the coverage falls with a probability of CHANCE."""
    return float(stats.binom.ppf(CHANCE, seeds, level) / seeds)


def written(document: str, name: str, tables: str) -> str:
    """The document with other tables between the two lines that name them.

    Raises:
        ValueError: if it does not have these lines once.
    """
    begin, end = f"<!-- tables: {name} -->\n", f"<!-- end of tables: {name} -->\n"
    pattern = re.compile(f"({re.escape(begin)}).*?({re.escape(end)})", re.DOTALL)
    text, count = pattern.subn(lambda found: f"{found[1]}\n{tables}\n\n{found[2]}", document)
    if count != 1:
        msg = f"{begin.strip()} … {end.strip()}: {count} times in the document, not once"
        raise ValueError(msg)
    return text
